//! Steps 5 and 6: dot segments, then percent-encoding, in that order.

use super::TargetUriError;
use crate::text::class::Class;

/// Appends the canonical form of `path`, which is empty or starts with `/`.
///
/// Dot segments are recognised as they are written, before anything is decoded: `/%2e%2e/x` becomes
/// `/../x`, as the order of the steps has it. `check_unambiguous` keeps a signer from sending such
/// a path.
pub(super) fn push(out: &mut String, path: &str) -> Result<(), TargetUriError> {
    if !path.contains("/.") && !path.contains('%') {
        out.push_str(if path.is_empty() { "/" } else { path });
        return Ok(());
    }
    let start = out.len();
    let mut segments = path.split('/').skip(1).peekable();
    let mut offset = 1;
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        match segment {
            "." | ".." => {
                if segment == ".." {
                    let parent =
                        out.get(start..).and_then(|written| written.rfind('/')).unwrap_or(0);
                    out.truncate(start + parent);
                }
                if is_last {
                    out.push('/');
                }
            }
            _ => {
                out.push('/');
                push_segment(out, segment, offset)?;
            }
        }
        offset += segment.len() + 1;
    }
    Ok(())
}

/// Upper-cases the hex digits of every escape, and decodes those of unreserved characters.
///
/// A `%` without two hex digits is refused rather than kept: next to a decoded escape it would form
/// another one (`%%41B` would turn into `%AB`).
fn push_segment(out: &mut String, segment: &str, offset: usize) -> Result<(), TargetUriError> {
    let mut pieces = segment.split('%');
    out.push_str(pieces.next().unwrap_or_default());
    let mut at = offset + segment.find('%').unwrap_or(0);
    for piece in pieces {
        let Some((octet, rest)) = escape(piece) else {
            return Err(TargetUriError::PercentEncoding { offset: at });
        };
        if Class::UNRESERVED.has(octet) {
            out.push(char::from(octet));
        } else {
            const HEX: [char; 16] =
                ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
            out.push('%');
            out.extend(
                [octet >> 4, octet & 15].iter().filter_map(|&nibble| HEX.get(usize::from(nibble))),
            );
        }
        out.push_str(rest);
        at += piece.len() + 1;
    }
    Ok(())
}

/// The octet that the two hex digits at the start of `text` name, and what follows them.
pub(super) fn escape(text: &str) -> Option<(u8, &str)> {
    let (digits, rest) = text.split_at_checked(2)?;
    let octet = digits
        .chars()
        .try_fold(0, |octet, digit| digit.to_digit(16).map(|value| octet * 16 + value))?;
    Some((u8::try_from(octet).ok()?, rest))
}
