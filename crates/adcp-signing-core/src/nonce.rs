//! Nonces: 16 random bytes in unpadded Base64URL, made by signers and checked by verifiers.

use std::{
    cell::RefCell,
    collections::VecDeque,
    fmt,
    time::{SystemTime, UNIX_EPOCH},
};

use base64ct::{Base64UrlUnpadded, Encoding as _};
use parking_lot::Mutex;
use rand::{
    Rng as _, SeedableRng as _,
    rngs::{StdRng, SysRng},
};

/// Bytes of randomness in a nonce that we make, and the fewest that a received one may decode to.
const BYTES: usize = 16;
/// Characters of a nonce that we make.
const CHARS: usize = 22;
/// Longest nonce that is accepted: 256 characters leave room for any sane generator and bound the
/// work.
const MAX_CHARS: usize = 256;

/// The `nonce` parameter of one signature that we make.
///
/// ```
/// use adcp_signing_core::{Nonce, Nonces, RandomNonces};
///
/// # fn main() -> Result<(), adcp_signing_core::NonceError> {
/// let nonce = RandomNonces.next()?;
/// assert_eq!(nonce.as_str().len(), 22);
/// Nonce::check(nonce.as_str())?;
/// assert!(Nonce::check("dG9vLXNob3J0").is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Nonce(Repr);

#[derive(Clone, PartialEq, Eq)]
enum Repr {
    Made([u8; CHARS]),
    Given(Box<str>),
}

/// Why a nonce is refused, or could not be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NonceError {
    /// The value ends in `=`.
    #[error("the nonce is padded; send Base64URL without `=`")]
    Padded,
    /// A character outside the Base64URL alphabet, or a length that no Base64URL text has.
    #[error("the nonce is not Base64URL; use A-Z a-z 0-9 - _ without padding")]
    NotBase64Url,
    /// Fewer than 16 bytes.
    #[error("the nonce decodes to {bytes} bytes; send at least 16")]
    TooShort {
        /// How many bytes it decodes to.
        bytes: usize,
    },
    /// More than 256 characters.
    #[error("the nonce has {chars} characters; send at most 256")]
    TooLong {
        /// How many characters it has.
        chars: usize,
    },
    /// The random generator of the operating system failed.
    #[error("the operating system gave no randomness; nothing can be signed until it does")]
    NoRandomness,
    /// A fixed list of nonces has come to its end.
    #[error("the fixed list of nonces is used up; give it more")]
    Exhausted,
}

impl Nonce {
    /// The nonce of these 16 bytes, which must be unpredictable and never used before.
    pub fn from_bytes(bytes: [u8; BYTES]) -> Self {
        let mut text = [b'A'; CHARS];
        // 16 bytes always encode to 22 characters, so this cannot fail.
        let _ = Base64UrlUnpadded::encode(&bytes, &mut text);
        Self(Repr::Made(text))
    }

    /// A nonce that was made elsewhere.
    ///
    /// # Errors
    /// As [`Nonce::check`].
    pub fn parse(text: &str) -> Result<Self, NonceError> {
        Self::check(text)?;
        Ok(Self(Repr::Given(text.into())))
    }

    /// Whether a received `nonce` is well-formed: unpadded Base64URL of at least 16 bytes.
    ///
    /// Stray bits in the last character are allowed. The text is what is signed and what the replay
    /// store knows, it is never decoded for use, and generators that draw characters instead of
    /// bytes leave such bits.
    ///
    /// # Errors
    /// [`NonceError`] that names the rule; the profiles answer `*_header_malformed` in step 1.
    pub fn check(text: &str) -> Result<(), NonceError> {
        if text.ends_with('=') {
            return Err(NonceError::Padded);
        }
        if text.len() > MAX_CHARS {
            return Err(NonceError::TooLong { chars: text.len() });
        }
        let in_alphabet = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        // Without an early exit the compiler looks at many bytes at once.
        if text.len() % 4 == 1 || !text.bytes().fold(true, |all, byte| all & in_alphabet(byte)) {
            return Err(NonceError::NotBase64Url);
        }
        let bytes = text.len() * 3 / 4;
        if bytes < BYTES {
            return Err(NonceError::TooShort { bytes });
        }
        Ok(())
    }

    /// The text that goes into the parameter.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Repr::Made(text) => std::str::from_utf8(text).unwrap_or_default(),
            Repr::Given(text) => text,
        }
    }
}

impl fmt::Display for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Nonce({self})")
    }
}

/// Where nonces come from.
pub trait Nonces: Send + Sync + fmt::Debug {
    /// A nonce that was never handed out before.
    ///
    /// # Errors
    /// [`NonceError`] where none can be made; nothing may be signed then.
    fn next(&self) -> Result<Nonce, NonceError>;
}

/// Nonces of 128 random bits from a ChaCha generator per thread, seeded by the operating system.
///
/// The generator takes a new seed every 64 KiB. The time in nanoseconds is mixed into each nonce,
/// so that a forked process or a restored snapshot, which starts from a copy of the generator's
/// state, does not repeat its twin's nonces.
#[derive(Debug, Clone, Copy, Default)]
pub struct RandomNonces;

struct Generator {
    rng: StdRng,
    left: u32,
}

thread_local! {
    static GENERATOR: RefCell<Option<Generator>> = const { RefCell::new(None) };
}

/// Nonces of one seed: 64 KiB of output.
const NONCES_PER_SEED: u32 = 4096;

impl Nonces for RandomNonces {
    fn next(&self) -> Result<Nonce, NonceError> {
        let drawn = GENERATOR.try_with(|generator| {
            let mut generator = generator.try_borrow_mut().map_err(|_| NonceError::NoRandomness)?;
            draw(&mut generator)
        });
        let drawn = drawn.map_err(|_| NonceError::NoRandomness)??;
        let elapsed =
            SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_nanos());
        Ok(Nonce::from_bytes((drawn ^ elapsed).to_be_bytes()))
    }
}

fn draw(generator: &mut Option<Generator>) -> Result<u128, NonceError> {
    if generator.as_ref().is_none_or(|generator| generator.left == 0) {
        let rng = StdRng::try_from_rng(&mut SysRng).map_err(|_| NonceError::NoRandomness)?;
        *generator = Some(Generator { rng, left: NONCES_PER_SEED });
    }
    let Some(Generator { rng, left }) = generator else { return Err(NonceError::NoRandomness) };
    *left -= 1;
    Ok(u128::from(rng.next_u64()) << 64 | u128::from(rng.next_u64()))
}

/// A fixed list of nonces, each handed out once, in order: for tests and for reproducing a
/// signature to the byte.
#[derive(Debug)]
pub struct FixedNonces(Mutex<VecDeque<Nonce>>);

impl FixedNonces {
    /// These nonces, in this order.
    pub fn new(nonces: impl IntoIterator<Item = Nonce>) -> Self {
        Self(Mutex::new(nonces.into_iter().collect()))
    }
}

impl Nonces for FixedNonces {
    fn next(&self) -> Result<Nonce, NonceError> {
        self.0.lock().pop_front().ok_or(NonceError::Exhausted)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn received_nonces_are_checked_by_the_profile() {
        let long = "A".repeat(257);
        let cases = [
            ("KXYnfEfJ0PBRZXQyVXfVQA", Ok(())),
            ("REPLAYEDwebhook16byteA", Ok(())),
            ("NEW_NONCE_AFTER_CAP_________", Ok(())),
            // Stray bits in the last character.
            ("KXYnfEfJ0PBRZXQyVXfVQB", Ok(())),
            ("", Err(NonceError::TooShort { bytes: 0 })),
            ("KXYnfEfJ0PBRZXQyVXfV", Err(NonceError::TooShort { bytes: 15 })),
            ("relayNonce000000000", Err(NonceError::TooShort { bytes: 14 })),
            ("KXYnfEfJ0PBRZXQyVXfVQA==", Err(NonceError::Padded)),
            ("KXYnfEfJ0PBRZXQyVXfVQ", Err(NonceError::NotBase64Url)),
            ("KXYnfEfJ0PBRZXQyVXfV+A", Err(NonceError::NotBase64Url)),
            ("KXYnfEfJ0PBRZXQyVXf QA", Err(NonceError::NotBase64Url)),
            ("KXYnfEfJ=PBRZXQyVXfVQA", Err(NonceError::NotBase64Url)),
            ("KXYnfEfJ0PBRZXQyVXfV\u{e9}", Err(NonceError::NotBase64Url)),
            (&long, Err(NonceError::TooLong { chars: 257 })),
        ];
        for (text, expected) in cases {
            assert_eq!(Nonce::check(text), expected, "{text:?}");
            assert_eq!(
                Nonce::parse(text).map(|nonce| nonce.to_string()),
                expected.map(|()| text.to_owned())
            );
        }
    }

    #[test]
    fn bytes_are_encoded_as_unpadded_base64url() {
        assert_eq!(Nonce::from_bytes([0xff; 16]).as_str(), "_____________________w");
        assert_eq!(Nonce::from_bytes([0; 16]).as_str(), "AAAAAAAAAAAAAAAAAAAAAA");
    }

    #[test]
    fn random_nonces_are_well_formed_and_do_not_repeat_across_a_reseed_or_threads() {
        let draw = || -> Vec<Nonce> {
            (0..NONCES_PER_SEED + 10).map(|_| RandomNonces.next().unwrap()).collect()
        };
        let other = std::thread::spawn(draw);
        let nonces: Vec<Nonce> = draw().into_iter().chain(other.join().unwrap()).collect();
        assert!(
            nonces
                .iter()
                .all(|nonce| Nonce::check(nonce.as_str()).is_ok() && nonce.as_str().len() == CHARS)
        );
        let distinct: HashSet<&str> = nonces.iter().map(Nonce::as_str).collect();
        assert_eq!(distinct.len(), nonces.len());
    }

    #[test]
    fn a_seed_is_used_for_a_bounded_number_of_nonces() {
        let mut generator = None;
        draw(&mut generator).unwrap();
        assert_eq!(generator.as_ref().map(|generator| generator.left), Some(NONCES_PER_SEED - 1));
        generator.as_mut().unwrap().left = 0;
        draw(&mut generator).unwrap();
        assert_eq!(generator.map(|generator| generator.left), Some(NONCES_PER_SEED - 1));
    }

    #[test]
    fn fixed_nonces_come_in_order_and_end() {
        let nonces = FixedNonces::new([Nonce::from_bytes([1; 16]), Nonce::from_bytes([2; 16])]);
        assert_eq!(nonces.next(), Ok(Nonce::from_bytes([1; 16])));
        assert_eq!(nonces.next(), Ok(Nonce::from_bytes([2; 16])));
        assert_eq!(nonces.next(), Err(NonceError::Exhausted));
    }
}
