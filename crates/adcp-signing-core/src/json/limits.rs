//! The bounds within which a JSON document is read.

/// The deepest nesting that the scanner can track: it keeps one bit for each open object or array.
const SCANNER_DEPTH: usize = 128;
/// The most members and elements that a document view can number.
const SCANNER_MEMBERS: usize = 1 << 30;

/// How deep a JSON document may nest, and how many members and elements it may have.
///
/// The scanner enforces both while it reads, so a document beyond them costs no more than one at
/// the limit. The defaults are those of contract 3.3: depth 64, and 100,000 members and elements.
/// The length of a body is bounded elsewhere.
///
/// ```
/// use adcp_signing_core::json::{JsonLimits, StrictJsonError, check_no_duplicate_keys_within};
///
/// let limits = JsonLimits::default().with_max_depth(2).with_max_members(3);
/// assert_eq!(check_no_duplicate_keys_within(br#"{"a":[1,2]}"#, &limits), Ok(()));
/// assert_eq!(
///     check_no_duplicate_keys_within(b"[[[]]]", &limits),
///     Err(StrictJsonError::TooDeep { limit: 2, offset: 2 }),
/// );
/// assert_eq!(
///     check_no_duplicate_keys_within(br#"{"a":[1,2,3]}"#, &limits),
///     Err(StrictJsonError::TooManyMembers { limit: 3, offset: 10 }),
/// );
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JsonLimits {
    max_depth: usize,
    max_members: usize,
}

impl JsonLimits {
    /// Sets how deep objects and arrays may nest. The outermost one has depth 1. The scanner reads
    /// to depth 128 at most, so a greater limit means 128.
    #[must_use]
    pub const fn with_max_depth(mut self, depth: usize) -> Self {
        self.max_depth = if depth < SCANNER_DEPTH { depth } else { SCANNER_DEPTH };
        self
    }

    /// Sets how many object members and array elements the document may have. All count, at every
    /// depth. The scanner counts to 2^30 at most, so a greater limit means 2^30.
    #[must_use]
    pub const fn with_max_members(mut self, members: usize) -> Self {
        self.max_members = if members < SCANNER_MEMBERS { members } else { SCANNER_MEMBERS };
        self
    }

    /// How deep objects and arrays may nest.
    pub const fn max_depth(&self) -> usize {
        self.max_depth
    }

    /// How many object members and array elements the document may have.
    pub const fn max_members(&self) -> usize {
        self.max_members
    }
}

impl Default for JsonLimits {
    fn default() -> Self {
        Self { max_depth: 64, max_members: 100_000 }
    }
}
