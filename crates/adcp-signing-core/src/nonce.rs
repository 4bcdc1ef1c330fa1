//! Nonces: 16 random bytes in unpadded Base64URL, made by signers and checked by verifiers.

use std::{collections::VecDeque, fmt};

use base64ct::{Base64UrlUnpadded, Encoding as _};
use parking_lot::Mutex;

use crate::text::all_bytes;

/// Bytes of randomness in a nonce that we make, and the fewest that a received one may decode to.
const BYTES: usize = 16;
/// The longest nonce that is accepted. 256 characters leave room for any generator and bound the
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
pub struct Nonce(String);

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
    /// A fixed list of nonces is used up.
    #[error("the fixed list of nonces is used up; give it more")]
    Exhausted,
}

impl Nonce {
    /// The nonce of these 16 bytes, which must be unpredictable and never used before.
    pub fn from_bytes(bytes: [u8; BYTES]) -> Self {
        Self(Base64UrlUnpadded::encode_string(&bytes))
    }

    /// A nonce that was made elsewhere.
    ///
    /// # Errors
    /// As [`Nonce::check`].
    pub fn parse(text: &str) -> Result<Self, NonceError> {
        Self::check(text)?;
        Ok(Self(text.to_owned()))
    }

    /// Whether a received `nonce` is well-formed: unpadded Base64URL of at least 16 bytes.
    ///
    /// Stray bits in the last character are allowed: generators that draw characters instead of
    /// bytes leave them. The nonce is signed and stored as text and is never decoded.
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
        if text.len() % 4 == 1 || !all_bytes(text, in_alphabet) {
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
        &self.0
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
    /// A nonce that was never returned before.
    ///
    /// # Errors
    /// [`NonceError`] if none can be made. Nothing may be signed then.
    fn next(&self) -> Result<Nonce, NonceError>;
}

impl<T: Nonces + ?Sized> Nonces for std::sync::Arc<T> {
    fn next(&self) -> Result<Nonce, NonceError> {
        T::next(self)
    }
}

/// Nonces of 128 random bits, each drawn from the operating system's generator.
///
/// There is no state in the process, so a forked process or a restored snapshot of a machine that
/// reseeds its generator does not repeat nonces.
#[derive(Debug, Clone, Copy, Default)]
pub struct RandomNonces;

impl Nonces for RandomNonces {
    fn next(&self) -> Result<Nonce, NonceError> {
        next_from(getrandom::fill)
    }
}

fn next_from<E>(fill: impl FnOnce(&mut [u8]) -> Result<(), E>) -> Result<Nonce, NonceError> {
    let mut bytes = [0; BYTES];
    fill(&mut bytes).map_err(|_| NonceError::NoRandomness)?;
    Ok(Nonce::from_bytes(bytes))
}

/// A fixed list of nonces, each returned once, in order: for tests, and to reproduce a signature to
/// the byte.
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
    fn random_nonces_are_well_formed_and_do_not_repeat_across_threads() {
        let draw = || -> Vec<Nonce> { (0..5_000).map(|_| RandomNonces.next().unwrap()).collect() };
        let other = std::thread::spawn(draw);
        let nonces: Vec<Nonce> = draw().into_iter().chain(other.join().unwrap()).collect();
        for nonce in &nonces {
            assert_eq!((Nonce::check(nonce.as_str()), nonce.as_str().len()), (Ok(()), 22));
        }
        let distinct: HashSet<&str> = nonces.iter().map(Nonce::as_str).collect();
        assert_eq!(distinct.len(), nonces.len());
    }

    #[test]
    fn without_randomness_there_is_no_nonce() {
        assert_eq!(next_from(|_| Err(())), Err(NonceError::NoRandomness));
        let ones = next_from(|bytes| {
            bytes.fill(0xff);
            Ok::<_, ()>(())
        });
        assert_eq!(ones, Ok(Nonce::from_bytes([0xff; 16])));
    }

    #[test]
    fn fixed_nonces_come_in_order_and_end() {
        let nonces = FixedNonces::new([Nonce::from_bytes([1; 16]), Nonce::from_bytes([2; 16])]);
        assert_eq!(nonces.next(), Ok(Nonce::from_bytes([1; 16])));
        assert_eq!(nonces.next(), Ok(Nonce::from_bytes([2; 16])));
        assert_eq!(nonces.next(), Err(NonceError::Exhausted));
    }
}
