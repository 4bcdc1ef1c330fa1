//! Where a request goes: its HTTP method, and its path as routers may read it.

use super::fold::{fold, squeeze};
use crate::{
    target_uri::{TargetUri, cut},
    text::{all_bytes, percent::decode_text},
};

/// The fields by which frameworks let a request replace its HTTP method.
pub(crate) const METHOD_OVERRIDE_FIELDS: [&str; 3] =
    ["x-http-method-override", "x-http-method", "x-method-override"];

/// The method and the path of a request, each read when it is asked for. No query can be read from
/// it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target<'a> {
    method: &'a str,
    received_url: &'a str,
    /// `None` where the URL has no canonical form.
    uri: Option<&'a TargetUri>,
    has_override_field: bool,
}

impl<'a> Target<'a> {
    /// `uri` is the canonical form of `received_url`, and `None` where there is none.
    /// `has_override_field` says whether the request carries a field of
    /// [`METHOD_OVERRIDE_FIELDS`].
    pub(crate) fn new(
        method: &'a str,
        received_url: &'a str,
        uri: Option<&'a TargetUri>,
        has_override_field: bool,
    ) -> Self {
        Self { method, received_url, uri, has_override_field }
    }

    /// The HTTP method as the binding knows it, `None` where it is another or may be replaced.
    pub(super) fn verb(&self) -> Option<Verb> {
        let (_, query) = path_and_query(self.received_url);
        if self.has_override_field || query.is_some_and(overrides_in_query) {
            return None;
        }
        // `HEAD` is answered by the handler of `GET`.
        [("GET", Verb::Get), ("HEAD", Verb::Get), ("POST", Verb::Post), ("DELETE", Verb::Delete)]
            .into_iter()
            .find_map(|(name, verb)| self.method.eq_ignore_ascii_case(name).then_some(verb))
    }

    /// The canonical path, `None` where the URL has none.
    pub(super) fn path(&self) -> Option<&'a str> {
        self.uri.map(TargetUri::path)
    }

    /// The segments of the path as a router may fold them: without empty ones and matrix
    /// parameters, decoded, without letter case. `None` where routers may disagree about them.
    pub(super) fn segments(&self) -> Option<Vec<String>> {
        // Canonicalizing has removed the dot segments, and not every router does.
        let (received_path, _) = path_and_query(self.received_url);
        if !received_path.split('/').all(|segment| is_plain(segment) || odd_text(segment).is_some())
        {
            return None;
        }
        let segments = self.path()?.split('/').map(segment_text);
        let segments = segments.collect::<Option<Vec<_>>>()?;
        Some(segments.into_iter().filter(|segment| !segment.is_empty()).collect())
    }
}

/// The HTTP methods of the A2A HTTP+JSON binding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Get,
    Post,
    Delete,
}

/// The path of `url` as it was received, and its query.
fn path_and_query(url: &str) -> (&str, Option<&str>) {
    let (without_fragment, _) = cut(url, '#');
    let (before, query) = cut(without_fragment, '?');
    let slashes = before.as_bytes().windows(3).position(|bytes| bytes == b"://");
    let after_scheme = slashes.and_then(|at| before.get(at + 3..)).unwrap_or(before);
    let path = after_scheme.find('/').and_then(|at| after_scheme.get(at..));
    (path.unwrap_or(""), query)
}

/// Whether `query` has the parameter `_method`, by which some frameworks replace the HTTP method.
fn overrides_in_query(query: &str) -> bool {
    query.split(['&', ';']).any(|pair| {
        let name = pair.split('=').next().unwrap_or(pair);
        // A name that cannot be decoded may be anything.
        decode_text(name).is_none_or(|name| squeeze(&name) == "method" && name.contains('_'))
    })
}

/// One segment, decoded and folded. `None` where two routers may take it for different ones.
fn segment_text(segment: &str) -> Option<String> {
    if is_plain(segment) { Some(segment.to_ascii_lowercase()) } else { odd_text(segment) }
}

/// Whether no router reads anything but the characters of the segment in it, but for letter case.
/// Most segments are.
fn is_plain(segment: &str) -> bool {
    all_bytes(segment, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// [`segment_text`] of any segment.
fn odd_text(segment: &str) -> Option<String> {
    let name = segment.split(';').next().unwrap_or(segment);
    let decoded = decode_text(name)?;
    // A second decoding, a normalization or a trim would change these.
    let is_odd = |character: char| {
        matches!(character, '/' | '\\' | '%' | ';' | '?' | '#') || character.is_control()
    };
    let ends_oddly = decoded.ends_with(|last: char| last == '.' || last.is_whitespace());
    if decoded.contains(is_odd) || ends_oddly {
        return None;
    }
    Some(fold(&decoded).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_plain_segment_reads_as_any_other(segment in "[ -~]{0,3}[A-Za-z0-9_-]{0,12}") {
            prop_assert_eq!(segment_text(&segment), odd_text(&segment));
        }

        #[test]
        fn a_path_is_cut_out_of_its_url(
            path in "/[a-z:/._-]{0,12}", query in "(\\?[a-z:/?]{0,8})?", fragment in "(#[a-z:/?#]{0,8})?",
        ) {
            let url = format!("https://seller.example{path}{query}{fragment}");
            prop_assert_eq!(path_and_query(&url), (&*path, query.strip_prefix('?')));
        }
    }
}
