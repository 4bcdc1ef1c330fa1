//! What every shared secret of a registration has to be.

/// The least length of `authentication.credentials` (push-notification-config schema).
pub(super) const MIN_SECRET_BYTES: usize = 32;
/// Fewer distinct byte values than this in 32 or more bytes never come from a random source, hex
/// text included.
const MIN_DISTINCT_BYTES: usize = 5;

/// Whether a secret repeats a handful of byte values.
pub(super) fn is_weak(bytes: &[u8]) -> bool {
    (0..=u8::MAX).filter(|value| bytes.contains(value)).nth(MIN_DISTINCT_BYTES - 1).is_none()
}
