//! Why a URL or authority has no canonical form.

use thiserror::Error;

use super::MAX_URL_BYTES;

/// The URL or authority has no canonical form, so it can be neither signed nor verified.
///
/// Messages give rules and byte offsets, never bytes of the URL: its userinfo and query may hold
/// secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TargetUriError {
    /// Longer than 8 KiB.
    #[error(
        "the URL is {length} bytes long, more than the {MAX_URL_BYTES} bytes allowed: shorten it"
    )]
    TooLong {
        /// The length in bytes.
        length: usize,
    },
    /// A control character or a space, which some parsers drop and others encode.
    #[error("control character or space at byte {offset}: percent-encode or remove it")]
    ControlOrSpace {
        /// Byte offset into the input.
        offset: usize,
    },
    /// A backslash or a character outside ASCII, which a plain RFC 9421 target URI cannot have.
    #[error("byte {offset} of the URL is a backslash or not ASCII: percent-encode it")]
    Character {
        /// Byte offset into the URL.
        offset: usize,
    },
    /// The scheme is missing or is neither `http` nor `https`.
    #[error(
        "the scheme is missing or is neither http nor https: give an absolute http or https URL"
    )]
    Scheme,
    /// No authority: the scheme is not followed by `//`, or nothing stands between it and the path.
    #[error("the URL has no authority: write scheme://host/path")]
    MissingAuthority,
    /// The authority has userinfo or a port, or nothing at all, and no host (step 3).
    #[error("the authority has no host")]
    MissingHost,
    /// Userinfo with a byte that RFC 3986 does not allow there, such as a second `@` or a
    /// backslash.
    #[error("malformed userinfo: remove everything up to and including the '@'")]
    Userinfo,
    /// A byte that no host name can have, such as `%`, `@` or a backslash.
    #[error("byte {offset} of the authority cannot stand in a host name")]
    HostCharacter {
        /// Byte offset into the authority, userinfo excluded.
        offset: usize,
    },
    /// A host with raw non-ASCII characters, where only A-labels are taken (the verifier's side of
    /// step 2).
    #[error("the host has raw non-ASCII characters: the sender must write it in A-labels (xn--)")]
    RawNonAsciiHost,
    /// A U-label or A-label that UTS-46 does not admit (nontransitional, CheckHyphens, CheckBidi,
    /// STD3).
    #[error(
        "the host is not a valid internationalized domain name (UTS-46 nontransitional ToASCII failed)"
    )]
    Idna,
    /// An empty DNS label: two dots in a row or one at the start.
    #[error("the host has an empty DNS label: at most one trailing dot is allowed")]
    EmptyLabel,
    /// `[` without `]`.
    #[error("the IPv6 literal has no closing bracket")]
    MissingClosingBracket,
    /// An IPv6 address outside brackets, which cannot be told from host and port.
    #[error("more than one ':' outside brackets: write an IPv6 host as [address]")]
    UnbracketedIpv6,
    /// An RFC 6874 zone identifier, which has no meaning on another node.
    #[error(
        "the IPv6 literal has a zone identifier, which has no meaning on another node: remove it"
    )]
    ZoneIdentifier,
    /// The brackets hold something other than an IPv6 address.
    #[error("the brackets do not hold an IPv6 address")]
    InvalidIpv6,
    /// A port that is empty, not decimal, over 65535 or led by zeros.
    #[error("the port must be a decimal number from 0 to 65535 without leading zeros")]
    Port,
    /// A `%` in the path that is not followed by two hex digits.
    #[error(
        "'%' at byte {offset} of the path is not followed by two hex digits: write a literal '%' as %25"
    )]
    PercentEncoding {
        /// Byte offset into the path.
        offset: usize,
    },
}

impl TargetUriError {
    /// Whether the cause is a raw non-ASCII host, for which contract versions before 3.2.4 have a
    /// code of its own.
    pub fn is_raw_non_ascii_host(&self) -> bool {
        matches!(self, Self::RawNonAsciiHost)
    }
}
