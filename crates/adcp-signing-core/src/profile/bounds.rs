//! How large and how deep a body may be before anything else looks at it.

/// The bounds on a body, enforced before any hash or signature. A body beyond them is answered with
/// 413, never with a signature code.
///
/// ```
/// use adcp_signing_core::profile::{Bounds, Profile, WireVersion};
///
/// let profile = Profile::request(WireVersion::V3_3);
/// assert_eq!(profile.bounds().max_body_bytes(), 4 * 1024 * 1024);
/// let bounds = profile.bounds().with_max_body_bytes(64 * 1024);
/// assert_eq!(profile.with_bounds(bounds).bounds().max_body_bytes(), 64 * 1024);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Bounds {
    max_body_bytes: usize,
    max_depth: usize,
    max_members: usize,
}

impl Bounds {
    /// 4 MiB, the bound of AdCP tasks.
    pub(super) const REQUEST: Self = Self::of_bytes(4 * 1024 * 1024);
    /// 1 MiB: a notification carries no batch.
    pub(super) const WEBHOOK: Self = Self::of_bytes(1024 * 1024);

    const fn of_bytes(max_body_bytes: usize) -> Self {
        Self { max_body_bytes, max_depth: 64, max_members: 100_000 }
    }

    /// The most bytes a body may have.
    pub const fn max_body_bytes(&self) -> usize {
        self.max_body_bytes
    }

    /// How deep the arrays and objects of a JSON body may nest.
    pub const fn max_depth(&self) -> usize {
        self.max_depth
    }

    /// How many object members and array elements a JSON body may have, taken together.
    pub const fn max_members(&self) -> usize {
        self.max_members
    }

    /// Sets the most bytes a body may have.
    #[must_use]
    pub const fn with_max_body_bytes(mut self, bytes: usize) -> Self {
        self.max_body_bytes = bytes;
        self
    }

    /// Sets how deep the arrays and objects of a JSON body may nest.
    #[must_use]
    pub const fn with_max_depth(mut self, depth: usize) -> Self {
        self.max_depth = depth;
        self
    }

    /// Sets how many members and elements a JSON body may have, taken together.
    #[must_use]
    pub const fn with_max_members(mut self, members: usize) -> Self {
        self.max_members = members;
        self
    }
}
