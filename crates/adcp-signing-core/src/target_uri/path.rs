//! Steps 5 and 6: dot segments, then percent-encoding, in that order.

use super::TargetUriError;
use crate::text::{class::Class, percent};

/// Appends the canonical form of `path`, which is empty or starts with `/`.
///
/// Dot segments are recognized as written, before anything is decoded: the order of the steps makes
/// `/../x` of `/%2e%2e/x`. `check_unambiguous` keeps a signer from sending such a path.
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
                    let parent = out.get(start..).and_then(|path| path.rfind('/')).unwrap_or(0);
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
/// A `%` without two hex digits is refused: kept next to a decoded escape it would form another
/// escape (`%%41B` would become `%AB`).
fn push_segment(out: &mut String, segment: &str, offset: usize) -> Result<(), TargetUriError> {
    let mut rest = segment;
    while let Some((plain, tail)) = rest.split_once('%') {
        let Some((octet, after)) = percent::escape(tail) else {
            let at = segment.len() - tail.len() - 1;
            return Err(TargetUriError::PercentEncoding { offset: offset + at });
        };
        out.push_str(plain);
        if Class::UNRESERVED.has(octet) {
            out.push(char::from(octet));
        } else {
            percent::push_escape(out, octet);
        }
        rest = after;
    }
    out.push_str(rest);
    Ok(())
}
