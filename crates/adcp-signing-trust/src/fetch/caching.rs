//! What a reply says of its own age (RFC 9111), and the condition of the next request (RFC 9110).

use http::{
    HeaderMap, HeaderValue,
    header::{AGE, CACHE_CONTROL, ETAG},
};

/// The longest entity tag that is kept.
const MAX_ETAG_BYTES: usize = 256;

/// The entity tag of a document, to be sent back as it came (RFC 9110 §8.8.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntityTag(HeaderValue);

impl EntityTag {
    pub(super) fn of(fields: &HeaderMap) -> Option<Self> {
        fields.get(ETAG).filter(|tag| tag.len() <= MAX_ETAG_BYTES).map(|tag| Self(tag.clone()))
    }

    #[cfg(test)]
    pub(crate) fn for_tests(tag: &'static str) -> Self {
        Self(HeaderValue::from_static(tag))
    }

    pub(super) fn value(&self) -> HeaderValue {
        self.0.clone()
    }
}

/// For how many seconds the reply may be reused: `max-age` of a private cache, less the `Age` that
/// a shared cache reports. `no-store` and `no-cache` are 0.
pub(super) fn max_age(fields: &HeaderMap) -> Option<i64> {
    let mut found = None;
    for line in fields.get_all(CACHE_CONTROL) {
        for directive in line.to_str().ok()?.split(',').map(str::trim) {
            let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
            if name.eq_ignore_ascii_case("no-store") || name.eq_ignore_ascii_case("no-cache") {
                return Some(0);
            }
            if name.eq_ignore_ascii_case("max-age") {
                found = found.or(seconds(value.trim_matches('"')));
            }
        }
    }
    let age = fields.get(AGE).and_then(|age| age.to_str().ok()).and_then(seconds).unwrap_or(0);
    found.map(|max_age| max_age.saturating_sub(age).max(0))
}

/// A number of seconds; one that is too large is a long time.
fn seconds(text: &str) -> Option<i64> {
    let text = text.trim();
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(lines: Lines) -> HeaderMap {
        lines
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)))
            .fold(HeaderMap::new(), |mut fields, (name, value): (http::HeaderName, _)| {
                fields.append(name, value);
                fields
            })
    }

    type Lines = &'static [(&'static str, &'static str)];

    #[test]
    fn the_age_of_a_reply_is_read_from_its_fields() {
        let table: [(Lines, Option<i64>); 10] = [
            (&[], None),
            (&[("cache-control", "public")], None),
            (&[("cache-control", "public, max-age=300")], Some(300)),
            (&[("cache-control", "public"), ("cache-control", "Max-Age=300")], Some(300)),
            (&[("cache-control", "max-age=300, max-age=900")], Some(300)),
            (&[("cache-control", "max-age=300"), ("age", "100")], Some(200)),
            (&[("cache-control", "max-age=300"), ("age", "400")], Some(0)),
            (&[("cache-control", "max-age=300, no-cache")], Some(0)),
            (&[("cache-control", "max-age=-1")], None),
            (&[("cache-control", "max-age=99999999999999999999")], Some(i64::MAX)),
        ];
        for (lines, expected) in table {
            assert_eq!(max_age(&fields(lines)), expected, "{lines:?}");
        }
    }

    #[test]
    fn a_long_entity_tag_is_not_kept() {
        let tag = |length: usize| {
            let value = HeaderValue::from_str(&"x".repeat(length)).unwrap();
            EntityTag::of(&HeaderMap::from_iter([(ETAG, value)]))
        };
        assert!(tag(MAX_ETAG_BYTES).is_some());
        assert_eq!(tag(MAX_ETAG_BYTES + 1), None);
    }
}
