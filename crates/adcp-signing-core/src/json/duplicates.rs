//! Step 14: no object, at any depth, has two members with one name.

use std::borrow::Cow;
use std::fmt;

use super::document::{Document, Nodes};
use super::sanitize::sanitize_key_name;
use super::scanner::{Container, Reader, Scalar, Text, scan};
use super::{JsonLimits, StrictJsonError};

/// How many names are kept and shown (step 14b, rule c).
const MAX_NAMES: usize = 4;

/// Up to this many members are compared pair by pair; sorting more keeps a hostile body from
/// costing quadratic time.
const MAX_PAIRWISE: usize = 16;

/// The names that occur more than once in an object, sanitized for logs by the rules of step 14b.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DuplicateKeys {
    names: Vec<String>,
    count: usize,
}

impl DuplicateKeys {
    /// The first four duplicate names, each sanitized.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// How many duplicate names there are, counted once per object.
    pub fn count(&self) -> usize {
        self.count
    }

    fn add(&mut self, name: &Name<'_>) {
        self.count += 1;
        if self.names.len() < MAX_NAMES {
            self.names.push(sanitize_key_name(&name.text));
        }
    }

    /// Adds the names that occur more than once among the members of one object.
    #[cold]
    fn add_from(&mut self, members: &[&str]) {
        let mut members: Vec<_> = members.iter().map(|raw| Name::of(raw)).collect();
        if members.len() > MAX_PAIRWISE {
            members.sort_unstable_by(|left, right| left.text.cmp(&right.text));
            for same in members.chunk_by(Name::eq) {
                if let [name, _, ..] = same {
                    self.add(name);
                }
            }
            return;
        }
        for (index, name) in members.iter().enumerate() {
            // The second occurrence is the one that counts; a third adds nothing.
            if members.iter().take(index).filter(|earlier| earlier.eq(name)).count() == 1 {
                self.add(name);
            }
        }
    }
}

/// An unescaped member name and its mark. Different names nearly always have different marks.
struct Name<'a> {
    mark: u64,
    text: Cow<'a, str>,
}

impl<'a> Name<'a> {
    /// The name that is written so.
    fn of(raw: &'a str) -> Self {
        let text = Text { raw, has_escapes: raw.contains('\\') }.unescape();
        Self { mark: mark(text.as_bytes()), text }
    }

    fn eq(&self, other: &Self) -> bool {
        self.mark == other.mark && self.text == other.text
    }
}

/// Both ends of a name and its length: equal for equal names, rarely equal for others.
#[inline(always)]
fn mark(name: &[u8]) -> u64 {
    let ends = match (name.first_chunk(), name.last_chunk()) {
        (Some(first), Some(last)) => {
            u64::from(u32::from_le_bytes(*first)) << 32 | u64::from(u32::from_le_bytes(*last))
        }
        _ => name.iter().fold(0, |mark, byte| mark << 8 | u64::from(*byte)),
    };
    ends ^ (name.len() as u64) << 24
}

impl fmt::Display for DuplicateKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.names.join(", "))?;
        match self.count.saturating_sub(self.names.len()) {
            0 => Ok(()),
            more => write!(f, " <...{more} more>"),
        }
    }
}

/// Checks that `body` is one strict RFC 8259 document in which no object has two members with the
/// same name, within the default [`JsonLimits`].
///
/// Names are compared after unescaping (`"skill"` and `"sk\u0069ll"` are one), in every object at
/// every depth. UTF-8 is checked; a byte order mark, trailing content, lone surrogates, and a
/// document beyond the limits are refused. An empty body is not a document.
///
/// # Errors
///
/// [`StrictJsonError`]: `request_body_malformed` or `webhook_body_malformed` on the wire.
///
/// ```
/// use adcp_signing_core::json::{StrictJsonError, check_no_duplicate_keys};
///
/// assert_eq!(check_no_duplicate_keys(br#"{"a":1,"b":{"a":2}}"#), Ok(()));
/// let Err(StrictJsonError::Duplicate(keys)) = check_no_duplicate_keys(br#"{"a":1,"\u0061":2}"#) else { panic!() };
/// assert_eq!(keys.names(), ["a"]);
/// ```
pub fn check_no_duplicate_keys(body: &[u8]) -> Result<(), StrictJsonError> {
    check_no_duplicate_keys_within(body, &JsonLimits::default())
}

/// [`check_no_duplicate_keys`] within these limits.
///
/// # Errors
///
/// [`StrictJsonError`].
pub fn check_no_duplicate_keys_within(
    body: &[u8],
    limits: &JsonLimits,
) -> Result<(), StrictJsonError> {
    match scan_body(body, limits, false)?.duplicates {
        Some(duplicates) => Err(StrictJsonError::Duplicate(duplicates)),
        None => Ok(()),
    }
}

/// What one pass over a body found.
pub(crate) struct Scanned<'a> {
    /// The document, if asked for, duplicate members included.
    pub(crate) document: Option<Document<'a>>,
    /// The names that occur more than once in an object.
    pub(crate) duplicates: Option<DuplicateKeys>,
}

/// Reads `body` once, for its duplicate keys and, with `keep_document`, for its content.
///
/// # Errors
///
/// [`StrictJsonError`], but never [`StrictJsonError::Duplicate`]: the caller may need the document
/// although it has duplicates.
pub(crate) fn scan_body<'a>(
    body: &'a [u8],
    limits: &JsonLimits,
    keep_document: bool,
) -> Result<Scanned<'a>, StrictJsonError> {
    if keep_document {
        let mut readers = (Members::new(), Nodes::for_body(body));
        scan(body, limits, &mut readers).map_err(|error| error.of_document(body))?;
        let (members, nodes) = readers;
        let document = Some(nodes.into_document()?);
        return Ok(Scanned { document, duplicates: members.into_duplicates() });
    }
    let mut members = Members::new();
    scan(body, limits, &mut members).map_err(|error| error.of_document(body))?;
    Ok(Scanned { document: None, duplicates: members.into_duplicates() })
}

/// The members of all open objects, innermost last.
struct Members<'a> {
    /// As written: most are never compared, and those that are get unescaped then.
    names: Vec<&'a str>,
    objects: Vec<Object>,
    duplicates: DuplicateKeys,
}

/// An open object.
#[derive(Default)]
struct Object {
    /// Where its names start.
    start: usize,
    /// Two bits for each name. A name is new if one of its bits is; few names share both.
    seen: (u64, u64),
    /// Whether the names have to be compared.
    suspect: bool,
}

impl Object {
    #[inline(always)]
    fn add(&mut self, name: &Text<'_>) {
        let hash = mark(name.raw.as_bytes()).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let (bit, other) = (1 << (hash >> 58), 1 << (hash >> 52 & 63));
        let (seen, others) = (&mut self.seen.0, &mut self.seen.1);
        self.suspect |= name.has_escapes | (*seen & bit != 0) & (*others & other != 0);
        *seen |= bit;
        *others |= other;
    }
}

impl Members<'_> {
    fn new() -> Self {
        Self {
            names: Vec::with_capacity(32),
            objects: Vec::with_capacity(16),
            duplicates: DuplicateKeys { names: Vec::new(), count: 0 },
        }
    }

    fn into_duplicates(self) -> Option<DuplicateKeys> {
        (self.duplicates.count > 0).then_some(self.duplicates)
    }
}

impl<'a> Reader<'a> for Members<'a> {
    #[inline(always)]
    fn open(&mut self, container: Container) {
        if container == Container::Object {
            self.objects.push(Object { start: self.names.len(), ..Object::default() });
        }
    }

    #[inline(always)]
    fn close(&mut self, container: Container) {
        if container == Container::Object {
            // Every object was opened. If one were not, all names would be compared.
            let unopened = Object { suspect: true, ..Object::default() };
            let object = self.objects.pop().unwrap_or(unopened);
            if object.suspect {
                let names = self.names.get(object.start..).unwrap_or(&self.names);
                self.duplicates.add_from(names);
            }
            self.names.truncate(object.start);
        }
    }

    #[inline(always)]
    fn key(&mut self, name: Text<'a>) {
        match self.objects.last_mut() {
            Some(object) => object.add(&name),
            // As above: compare them all.
            None => self.objects.push(Object { suspect: true, ..Object::default() }),
        }
        self.names.push(name.raw);
    }

    #[inline(always)]
    fn scalar(&mut self, _: Scalar<'a>) {}
}
