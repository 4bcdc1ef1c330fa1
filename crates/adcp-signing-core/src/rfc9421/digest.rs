//! `Content-Digest` (RFC 9530 §2): reading, writing and comparing.

use crate::{
    keys::crypto::sha256,
    rfc9421::structured_fields::{
        Alphabet, BareItem, Dictionary, MemberValue, ParseError, push_byte_sequence,
    },
};

/// The field name.
pub(crate) const CONTENT_DIGEST: &str = "content-digest";

/// Why a `Content-Digest` value cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DigestError {
    /// Not a dictionary.
    #[error("Content-Digest is not a dictionary of digests such as `sha-256=:BASE64:`: {0}")]
    Syntax(#[from] ParseError),
    /// A member is not a byte sequence in the expected alphabet.
    #[error(
        "Content-Digest member `{0}` is not a byte sequence in the profile's encoding; write `:`, the \
         Base64 of the digest's bytes, and `:`"
    )]
    Encoding(String),
}

/// Why a `Content-Digest` is not that of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DigestMismatch {
    /// The field has no member `sha-256`, whichever others it has.
    #[error("Content-Digest has no sha-256, the only algorithm that AdCP verifies; add it")]
    NoSha256,
    /// The member `sha-256` does not have 32 bytes.
    #[error(
        "sha-256 of Content-Digest has {actual} bytes, not 32{}",
        if *.actual == 48 { "; 64 hex digits in place of the Base64 of the bytes?" } else { "" }
    )]
    Length {
        /// How many it has.
        actual: usize,
    },
    /// The digest is another one.
    #[error("the body has another sha-256 than Content-Digest")]
    Differs,
}

/// The `Content-Digest` field of a message. Only its sha-256 digest is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ContentDigest {
    sha256: Result<[u8; 32], DigestMismatch>,
}

impl ContentDigest {
    /// Reads the joined field value. Every member must be a byte sequence, all in one of the
    /// alphabets.
    pub(crate) fn parse(value: &[u8], alphabets: &[Alphabet]) -> Result<Self, DigestError> {
        let dictionary = Dictionary::parse(value)?;
        let mut last = DigestError::Encoding(String::new());
        for alphabet in alphabets {
            match Self::decode(&dictionary, *alphabet) {
                Ok(digest) => return Ok(digest),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn decode(dictionary: &Dictionary<'_>, alphabet: Alphabet) -> Result<Self, DigestError> {
        let mut sha256 = Err(DigestMismatch::NoSha256);
        for member in dictionary.iter() {
            let refused = || DigestError::Encoding(member.key.to_owned());
            let MemberValue::Item(item) = &member.value else { return Err(refused()) };
            let BareItem::ByteSequence(bytes) = &item.bare else { return Err(refused()) };
            let decoded = bytes.decode_exactly(alphabet).map_err(|_| refused())?;
            if member.key == "sha-256" {
                let actual = || bytes.decode(alphabet).map_or(0, |bytes| bytes.len());
                sha256 = decoded.ok_or_else(|| DigestMismatch::Length { actual: actual() });
            }
        }
        Ok(Self { sha256 })
    }

    /// Refuses a body that does not have this sha-256, and a field without a sha-256 of 32 bytes.
    ///
    /// The sender knows both digests, so the comparison need not take constant time.
    pub(crate) fn check(&self, body: &[u8]) -> Result<(), DigestMismatch> {
        if self.sha256? == sha256(body) { Ok(()) } else { Err(DigestMismatch::Differs) }
    }
}

/// The value of `Content-Digest` for a body: its sha-256, in this alphabet.
pub fn content_digest(body: &[u8], alphabet: Alphabet) -> String {
    let mut value = String::with_capacity(56);
    value.push_str("sha-256=");
    push_byte_sequence(&mut value, &sha256(body), alphabet);
    value
}
