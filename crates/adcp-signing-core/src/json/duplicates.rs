//! Step 14: no object, at any depth, has two members of one name.

use std::borrow::Cow;
use std::fmt;

use super::StrictJsonError;
use super::sanitize::sanitize_key_name;
use super::scanner::{Container, Reader, Scalar, Text, scan};

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
            self.names.push(sanitize_key_name(&String::from_utf8_lossy(&name.text)));
        }
    }

    /// Adds what occurs more than once among the members of one object.
    #[cold]
    fn add_from(&mut self, members: &[Text<'_>]) {
        let mut members: Vec<_> =
            members.iter().map(|name| Name::new(name.unescaped_bytes())).collect();
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
            let earlier = members.get(..index).unwrap_or_default();
            // The second occurrence is the one that counts; a third adds nothing.
            if earlier.iter().filter(|earlier| earlier.eq(name)).count() == 1 {
                self.add(name);
            }
        }
    }
}

/// A member's name, unescaped, behind a mark that nearly always tells it from the others of its
/// object.
struct Name<'a> {
    mark: u64,
    text: Cow<'a, [u8]>,
}

impl<'a> Name<'a> {
    fn new(text: Cow<'a, [u8]>) -> Self {
        Self { mark: mark(&text), text }
    }

    fn eq(&self, other: &Self) -> bool {
        self.mark == other.mark && self.text == other.text
    }
}

/// Both ends of a name and its length: equal for equal names, and rarely for others.
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

/// Whether `body` is one strict RFC 8259 document in which no object has two members of the same
/// name.
///
/// Names are compared after unescaping (`"skill"` and `"sk\u0069ll"` are one), in every object at
/// every depth. UTF-8 is checked; a byte order mark, trailing content, lone surrogates and nesting
/// beyond [`MAX_DEPTH`](super::MAX_DEPTH) are refused. An empty body is no document.
///
/// # Errors
///
/// [`StrictJsonError`], `request_body_malformed` or `webhook_body_malformed` on the wire.
///
/// ```
/// use adcp_signing_core::json::{StrictJsonError, check_no_duplicate_keys};
///
/// assert_eq!(check_no_duplicate_keys(br#"{"a":1,"b":{"a":2}}"#), Ok(()));
/// let Err(StrictJsonError::Duplicate(keys)) = check_no_duplicate_keys(br#"{"a":1,"\u0061":2}"#) else { panic!() };
/// assert_eq!(keys.names(), ["a"]);
/// ```
pub fn check_no_duplicate_keys(body: &[u8]) -> Result<(), StrictJsonError> {
    let mut members = Members {
        names: Vec::with_capacity(32),
        objects: Vec::with_capacity(16),
        duplicates: DuplicateKeys { names: Vec::new(), count: 0 },
    };
    scan(body, &mut members)?;
    if members.duplicates.count == 0 {
        Ok(())
    } else {
        Err(StrictJsonError::Duplicate(members.duplicates))
    }
}

/// The members of all objects that are open, innermost last.
struct Members<'a> {
    names: Vec<Text<'a>>,
    objects: Vec<Object>,
    duplicates: DuplicateKeys,
}

/// An object that is open.
#[derive(Default)]
struct Object {
    /// Where its names start.
    start: usize,
    /// Two bits for each name, so that a name whose bits are new is new. Its bits are set for
    /// nearly no other.
    seen: (u64, u64),
    /// Whether the names have to be compared.
    suspect: bool,
}

impl Object {
    #[inline(always)]
    fn add(&mut self, name: &Text<'_>) {
        let Some(name) = name.plain() else {
            self.suspect = true;
            return;
        };
        let hash = mark(name).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let (bit, other) = (1 << (hash >> 58), 1 << (hash >> 52 & 63));
        let (seen, others) = (&mut self.seen.0, &mut self.seen.1);
        self.suspect |= (*seen & bit != 0) & (*others & other != 0);
        *seen |= bit;
        *others |= other;
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
        if container == Container::Object
            && let Some(object) = self.objects.pop()
        {
            if object.suspect {
                self.duplicates.add_from(self.names.get(object.start..).unwrap_or_default());
            }
            self.names.truncate(object.start);
        }
    }

    #[inline(always)]
    fn key(&mut self, name: Text<'a>) {
        if let Some(object) = self.objects.last_mut() {
            object.add(&name);
        }
        self.names.push(name);
    }

    #[inline(always)]
    fn scalar(&mut self, _: Scalar<'a>) {}
}
