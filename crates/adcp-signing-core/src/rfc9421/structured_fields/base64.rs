//! Byte sequences, and the two base64 alphabets that AdCP uses on the wire.
//!
//! `base64ct` writes them, and does all other base64 of this crate. Reading is a table lookup of our
//! own: `base64ct` takes no data-dependent time, which secrets need and a received header does not,
//! and takes 250 ns for a signature and a digest. The lookup takes 50 ns. The difference is 4 % of
//! what a verification costs beyond its primitive. The tests compare every verdict with `base64ct`.

use base64ct::{Base64, Base64UrlUnpadded, Encoding as _};

/// How the bytes of a byte sequence are spelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Alphabet {
    /// RFC 4648 §4 with padding: what RFC 8941 §3.3.5 says, and AdCP from 3.2 on.
    Standard,
    /// RFC 4648 §5 without padding: AdCP requests of 3.0 and 3.1, AdCP webhooks through 3.x.
    UrlUnpadded,
}

/// Why a text is not the base64 spelling of any bytes in the alphabet asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Base64Error {
    /// A character of another alphabet.
    #[error("byte {offset} of the base64 text is '{}', which is not in {}", .found.escape_ascii(), .alphabet.name())]
    Character {
        /// Where, counted from the byte after the opening colon.
        offset: usize,
        /// The character.
        found: u8,
        /// The alphabet asked for.
        alphabet: Alphabet,
    },
    /// Padding that is missing, superfluous or misplaced.
    #[error("{}", match .alphabet {
        Alphabet::Standard => "the base64 text is not padded with '=' to a multiple of four characters",
        Alphabet::UrlUnpadded => "the base64url text has padding, which this alphabet goes without",
    })]
    Padding {
        /// The alphabet asked for.
        alphabet: Alphabet,
    },
    /// A count of characters that no bytes have.
    #[error("no bytes are spelled with {0} base64url characters")]
    Length(usize),
    /// The last character has bits that belong to no byte.
    #[error("the last base64 character has bits set beyond the last byte")]
    StrayBits,
    /// The destination is too short.
    #[error("{needed} decoded bytes do not fit the {available} bytes given")]
    BufferTooSmall {
        /// The decoded length.
        needed: usize,
        /// The length of the buffer.
        available: usize,
    },
}

/// A byte sequence (RFC 8941 §3.3.5) as received. The tokenizer admits the characters of both
/// alphabets and `=`; decoding decides whether they spell bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteSequence<'a> {
    raw: &'a str,
}

impl Alphabet {
    const fn name(self) -> &'static str {
        match self {
            Self::Standard => "the standard base64 alphabet (RFC 4648 section 4)",
            Self::UrlUnpadded => "the base64url alphabet (RFC 4648 section 5)",
        }
    }

    /// The six bits that a character stands for, or [`NO_DIGIT`].
    fn value(self, byte: u8) -> u8 {
        const STANDARD: [u8; 256] = values(b'+', b'/');
        const URL: [u8; 256] = values(b'-', b'_');
        let values = match self {
            Self::Standard => &STANDARD,
            Self::UrlUnpadded => &URL,
        };
        values.get(usize::from(byte)).copied().unwrap_or(NO_DIGIT)
    }

    /// Appends the spelling of `bytes`, without colons.
    pub(super) fn encode(self, bytes: &[u8], out: &mut String) {
        // As long as a signature of the profiles; anything longer takes memory of its own.
        let mut buffer = [0; 88];
        let written = match self {
            Self::Standard => Base64::encode(bytes, &mut buffer),
            Self::UrlUnpadded => Base64UrlUnpadded::encode(bytes, &mut buffer),
        };
        match (written, self) {
            (Ok(text), _) => out.push_str(text),
            (Err(_), Self::Standard) => out.push_str(&Base64::encode_string(bytes)),
            (Err(_), Self::UrlUnpadded) => out.push_str(&Base64UrlUnpadded::encode_string(bytes)),
        }
    }

    /// `text` without its padding, if padding and length fit the alphabet. [`decode`](Self::decode)
    /// checks the digits themselves.
    fn digits(self, text: &str) -> Result<&[u8], Base64Error> {
        let digits = text.trim_end_matches('=').as_bytes();
        let padding = text.len() - digits.len();
        let sound = match self {
            Self::Standard => text.len().is_multiple_of(4) && padding <= 2,
            Self::UrlUnpadded => padding == 0 && digits.len() % 4 != 1,
        };
        if sound { Ok(digits) } else { Err(self.fault(text)) }
    }

    /// Explains why decoding failed: the first invalid character, the padding, or the length.
    #[cold]
    fn fault(self, text: &str) -> Base64Error {
        let digits = text.trim_end_matches('=').as_bytes();
        let other =
            digits.iter().copied().enumerate().find(|(_, byte)| self.value(*byte) == NO_DIGIT);
        match (other, self) {
            (Some((offset, found)), _) if found != b'=' => {
                Base64Error::Character { offset, found, alphabet: self }
            }
            (None, Self::UrlUnpadded) if digits.len() == text.len() => {
                Base64Error::Length(digits.len())
            }
            _ => Base64Error::Padding { alphabet: self },
        }
    }

    /// Decodes the `digits` of `text` into `bytes`, whose length is that of [`decoded_len`]. The
    /// input is public, so a data-dependent table lookup is fine.
    fn decode(self, text: &str, digits: &[u8], bytes: &mut [u8]) -> Result<(), Base64Error> {
        let mut seen = 0;
        let mut spelled = |digits: &[u8]| {
            digits.iter().fold(0, |bits, digit| {
                let value = self.value(*digit);
                seen |= value;
                bits << 6 | u32::from(value)
            })
        };
        let (whole, last) = digits.as_chunks::<4>();
        let (whole_bytes, last_bytes) = bytes.as_chunks_mut::<3>();
        for (digits, bytes) in whole.iter().zip(whole_bytes) {
            let [_, spelled @ ..] = spelled(digits).to_be_bytes();
            *bytes = spelled;
        }
        let stray = match (last, last_bytes) {
            ([_, _], [byte]) => {
                let [.., high, low] = (spelled(last) << 4).to_be_bytes();
                *byte = high;
                low
            }
            ([_, _, _], [first, second]) => {
                let [_, high, middle, low] = (spelled(last) << 6).to_be_bytes();
                (*first, *second) = (high, middle);
                low
            }
            _ => 0,
        };
        // Only NO_DIGIT has the two highest bits set. Then the bytes written so far are discarded.
        if seen > 0x3f {
            Err(self.fault(text))
        } else if stray != 0 {
            Err(Base64Error::StrayBits)
        } else {
            Ok(())
        }
    }
}

/// The value of a byte that is not in the alphabet.
const NO_DIGIT: u8 = 0xff;

/// The value of each byte in the alphabet that ends in these two characters.
const fn values(second_to_last: u8, last: u8) -> [u8; 256] {
    let mut values = [NO_DIGIT; 256];
    let mut rest: &mut [u8] = &mut values;
    let mut byte = 0_u8;
    while let [value, more @ ..] = rest {
        *value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            _ if byte == second_to_last => 62,
            _ if byte == last => 63,
            _ => NO_DIGIT,
        };
        byte = byte.wrapping_add(1);
        rest = more;
    }
    values
}

/// How many bytes so many digits spell.
const fn decoded_len(digits: usize) -> usize {
    digits / 4 * 3 + digits % 4 * 3 / 4
}

impl<'a> ByteSequence<'a> {
    pub(super) const fn new(raw: &'a str) -> Self {
        Self { raw }
    }

    /// The text between the colons.
    pub const fn raw(&self) -> &'a str {
        self.raw
    }

    /// The bytes, if the text is exactly their spelling in `alphabet`: its characters, its padding,
    /// and no bit set beyond the last byte.
    ///
    /// # Errors
    /// [`Base64Error`] for any other text.
    pub fn decode(&self, alphabet: Alphabet) -> Result<Vec<u8>, Base64Error> {
        let digits = alphabet.digits(self.raw)?;
        let mut bytes = vec![0; decoded_len(digits.len())];
        alphabet.decode(self.raw, digits, &mut bytes)?;
        Ok(bytes)
    }

    /// Like [`decode`](Self::decode), for exactly `N` bytes: `None` if there are more or fewer.
    pub(crate) fn decode_exactly<const N: usize>(
        &self,
        alphabet: Alphabet,
    ) -> Result<Option<[u8; N]>, Base64Error> {
        let digits = alphabet.digits(self.raw)?;
        if decoded_len(digits.len()) != N {
            return self.decode(alphabet).map(|_| None);
        }
        let mut bytes = [0; N];
        alphabet.decode(self.raw, digits, &mut bytes)?;
        Ok(Some(bytes))
    }

    /// Like [`decode`](Self::decode), into the front of `buffer`.
    ///
    /// # Errors
    /// [`Base64Error`], [`BufferTooSmall`](Base64Error::BufferTooSmall) included.
    pub fn decode_into<'b>(
        &self,
        alphabet: Alphabet,
        buffer: &'b mut [u8],
    ) -> Result<&'b [u8], Base64Error> {
        let digits = alphabet.digits(self.raw)?;
        let needed = decoded_len(digits.len());
        let available = buffer.len();
        let bytes =
            buffer.get_mut(..needed).ok_or(Base64Error::BufferTooSmall { needed, available })?;
        alphabet.decode(self.raw, digits, bytes)?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_alphabet_takes_exactly_its_own_spelling() {
        use Alphabet::{Standard, UrlUnpadded};

        let padding = |alphabet| Err(Base64Error::Padding { alphabet });
        let character =
            |alphabet, offset, found| Err(Base64Error::Character { offset, found, alphabet });
        type Case = (Alphabet, &'static str, Result<&'static [u8], Base64Error>);
        let cases: [Case; 22] = [
            (Standard, "", Ok(b"")),
            (Standard, "/+8=", Ok(b"\xff\xef")),
            (Standard, "AA==", Ok(b"\0")),
            (Standard, "AAAA", Ok(b"\0\0\0")),
            (Standard, "AA", padding(Standard)),
            (Standard, "AA=", padding(Standard)),
            (Standard, "AA=A", padding(Standard)),
            (Standard, "A===", padding(Standard)),
            (Standard, "====", padding(Standard)),
            (Standard, "AAAA====", padding(Standard)),
            (Standard, "AAA", padding(Standard)),
            (Standard, "AB==", Err(Base64Error::StrayBits)),
            (Standard, "AAB=", Err(Base64Error::StrayBits)),
            (Standard, "_-8=", character(Standard, 0, b'_')),
            (Standard, "AA ==", character(Standard, 2, b' ')),
            (UrlUnpadded, "", Ok(b"")),
            (UrlUnpadded, "_-8", Ok(b"\xff\xef")),
            (UrlUnpadded, "_-8=", padding(UrlUnpadded)),
            (UrlUnpadded, "_-9", Err(Base64Error::StrayBits)),
            (UrlUnpadded, "AAAAA", Err(Base64Error::Length(5))),
            (UrlUnpadded, "A+AA", character(UrlUnpadded, 1, b'+')),
            (UrlUnpadded, "AA=A", padding(UrlUnpadded)),
        ];
        for (alphabet, text, expected) in cases {
            let sequence = ByteSequence::new(text);
            let expected = expected.map(<[u8]>::to_vec);
            assert_eq!(sequence.decode(alphabet), expected, "{alphabet:?} {text:?}");
            let mut buffer = [0xaa; 8];
            assert_eq!(sequence.decode_into(alphabet, &mut buffer).map(<[u8]>::to_vec), expected);
            let of_length_two = expected.map(|bytes| bytes.try_into().ok());
            assert_eq!(
                sequence.decode_exactly::<2>(alphabet),
                of_length_two,
                "{alphabet:?} {text:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn what_decodes_is_what_base64ct_decodes(text in "[A-Za-z0-9+/_-]{0,10}={0,3}", raw in "[ -~]{0,8}") {
            for text in [text, raw] {
                let sequence = ByteSequence::new(&text);
                let standard = sequence.decode(Alphabet::Standard).ok();
                prop_assert_eq!(standard, Base64::decode_vec(&text).ok());
                let url = sequence.decode(Alphabet::UrlUnpadded).ok();
                prop_assert_eq!(url, Base64UrlUnpadded::decode_vec(&text).ok());
            }
        }

        #[test]
        fn any_bytes_are_spelled_and_read_back(bytes in prop::collection::vec(any::<u8>(), 0..110)) {
            for alphabet in [Alphabet::Standard, Alphabet::UrlUnpadded] {
                let mut text = String::new();
                alphabet.encode(&bytes, &mut text);
                let read = ByteSequence::new(&text).decode(alphabet);
                prop_assert_eq!(read.as_ref(), Ok(&bytes));
            }
        }
    }

    #[test]
    fn every_other_last_character_of_a_short_group_is_refused() {
        let digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let accepted = |prefix: &str| {
            let texts = digits.chars().map(|digit| format!("{prefix}{digit}"));
            texts
                .filter(|text| ByteSequence::new(text).decode(Alphabet::UrlUnpadded).is_ok())
                .count()
        };
        assert_eq!((accepted("A"), accepted("AA"), accepted("AAA")), (4, 16, 64));
    }

    #[test]
    fn a_short_buffer_is_an_error_and_stays_untouched() {
        let mut buffer = [0xaa; 2];
        let error =
            ByteSequence::new("AAAA").decode_into(Alphabet::Standard, &mut buffer).unwrap_err();
        assert_eq!(error, Base64Error::BufferTooSmall { needed: 3, available: 2 });
        assert_eq!(buffer, [0xaa; 2]);
    }
}
