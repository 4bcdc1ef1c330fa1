//! Byte sequences, and the two base64 alphabets AdCP has put on the wire.

use base64ct::{Base64, Base64UrlUnpadded, Encoding as _};

/// How the bytes of a byte sequence are spelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Alphabet {
    /// RFC 4648 §4 with padding: what RFC 8941 §3.3.5 says, and AdCP from 3.2 on.
    Standard,
    /// RFC 4648 §5 without padding: AdCP requests of 3.0 and 3.1, AdCP webhooks through 3.x.
    UrlUnpadded,
}

/// Why text is not the base64 spelling of any bytes in the alphabet asked for.
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

/// A byte sequence (RFC 8941 §3.3.5) as received. The tokenizer has admitted the characters of both alphabets and `=`;
/// whether they spell bytes is decided when they are decoded.
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

    const fn contains(self, byte: u8) -> bool {
        match self {
            Self::Standard => byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'),
            Self::UrlUnpadded => byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'),
        }
    }

    /// Appends the spelling of `bytes`, without colons.
    pub(super) fn encode(self, bytes: &[u8], out: &mut String) {
        out.push_str(&match self {
            Self::Standard => Base64::encode_string(bytes),
            Self::UrlUnpadded => Base64UrlUnpadded::encode_string(bytes),
        });
    }

    /// The decoded length of `text`, which is then known to be well-formed but for stray bits.
    fn decoded_len(self, text: &str) -> Result<usize, Base64Error> {
        let digits = text.trim_end_matches('=');
        if let Some((offset, found)) = digits.bytes().enumerate().find(|(_, byte)| !self.contains(*byte)) {
            return Err(match found {
                b'=' => Base64Error::Padding { alphabet: self },
                _ => Base64Error::Character { offset, found, alphabet: self },
            });
        }
        let padding = text.len() - digits.len();
        match self {
            Self::Standard if !text.len().is_multiple_of(4) || padding > 2 => {
                Err(Base64Error::Padding { alphabet: self })
            }
            Self::UrlUnpadded if padding > 0 => Err(Base64Error::Padding { alphabet: self }),
            Self::UrlUnpadded if digits.len() % 4 == 1 => Err(Base64Error::Length(digits.len())),
            Self::Standard | Self::UrlUnpadded => Ok(digits.len() / 4 * 3 + digits.len() % 4 * 3 / 4),
        }
    }
}

impl<'a> ByteSequence<'a> {
    pub(super) const fn new(raw: &'a str) -> Self {
        Self { raw }
    }

    /// The text between the colons.
    pub const fn raw(&self) -> &'a str {
        self.raw
    }

    /// The bytes, where the text is exactly their spelling in `alphabet`: its characters, its padding, and no bit set
    /// beyond the last byte.
    ///
    /// # Errors
    /// [`Base64Error`] for any other text.
    pub fn decode(&self, alphabet: Alphabet) -> Result<Vec<u8>, Base64Error> {
        let mut bytes = vec![0; alphabet.decoded_len(self.raw)?];
        self.decode_checked(alphabet, &mut bytes)?;
        Ok(bytes)
    }

    /// Like [`decode`](Self::decode), into the front of `buffer`.
    ///
    /// # Errors
    /// [`Base64Error`], [`BufferTooSmall`](Base64Error::BufferTooSmall) included.
    pub fn decode_into<'b>(&self, alphabet: Alphabet, buffer: &'b mut [u8]) -> Result<&'b [u8], Base64Error> {
        let needed = alphabet.decoded_len(self.raw)?;
        let available = buffer.len();
        let bytes = buffer.get_mut(..needed).ok_or(Base64Error::BufferTooSmall { needed, available })?;
        self.decode_checked(alphabet, bytes)?;
        Ok(bytes)
    }

    fn decode_checked(&self, alphabet: Alphabet, bytes: &mut [u8]) -> Result<(), Base64Error> {
        match alphabet {
            Alphabet::Standard => Base64::decode(self.raw, bytes),
            Alphabet::UrlUnpadded => Base64UrlUnpadded::decode(self.raw, bytes),
        }
        .map(|_| ())
        .map_err(|_| Base64Error::StrayBits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_alphabet_takes_exactly_its_own_spelling() {
        use Alphabet::{Standard, UrlUnpadded};

        let padding = |alphabet| Err(Base64Error::Padding { alphabet });
        let character = |alphabet, offset, found| Err(Base64Error::Character { offset, found, alphabet });
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
        }
    }

    #[test]
    fn every_other_last_character_of_a_short_group_is_refused() {
        let digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let accepted = |prefix: &str| {
            let texts = digits.chars().map(|digit| format!("{prefix}{digit}"));
            texts.filter(|text| ByteSequence::new(text).decode(Alphabet::UrlUnpadded).is_ok()).count()
        };
        assert_eq!((accepted("A"), accepted("AA"), accepted("AAA")), (4, 16, 64));
    }

    #[test]
    fn a_short_buffer_is_an_error_and_stays_untouched() {
        let mut buffer = [0xaa; 2];
        let error = ByteSequence::new("AAAA").decode_into(Alphabet::Standard, &mut buffer).unwrap_err();
        assert_eq!(error, Base64Error::BufferTooSmall { needed: 3, available: 2 });
        assert_eq!(buffer, [0xaa; 2]);
    }
}
