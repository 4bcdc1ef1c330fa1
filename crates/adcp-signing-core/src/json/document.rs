//! A whole document with every member kept, duplicates included.

use std::borrow::Cow;

#[cfg(test)]
use super::scanner::scan;
use super::scanner::{Container, Reader, Scalar, Text};
use super::{JsonLimits, StrictJsonError, scan_body};

/// A parsed document, as one flat list of nodes: a subtree is skipped in one step, and nothing
/// recurses. A node takes 24 bytes; there are two for each object member and one for each array
/// element, so the limit on members bounds the memory.
pub struct Document<'a> {
    root: Node<'a>,
    /// The nodes inside the root, in the order of the text.
    inside: Vec<Node<'a>>,
}

#[derive(Debug, Clone, Copy)]
struct Node<'a> {
    /// A string's inside or a number as written.
    raw: &'a str,
    has_escapes: bool,
    kind: Kind,
    /// How many of the nodes that follow are inside this one.
    inside: u32,
}

impl<'a> Node<'a> {
    fn unescape(self) -> Cow<'a, str> {
        Text { raw: self.raw, has_escapes: self.has_escapes }.unescape()
    }
}

/// The type of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Object,
    Array,
    String,
    Number,
    Bool,
    Null,
}

impl<'a> Document<'a> {
    #[cfg(test)]
    /// Reads one strict RFC 8259 document within the default limits, duplicate members included.
    pub(crate) fn parse(body: &'a [u8]) -> Result<Self, StrictJsonError> {
        let mut nodes = Nodes::for_body(body);
        scan(body, &JsonLimits::default(), &mut nodes)?;
        nodes.into_document()
    }

    /// Reads one strict RFC 8259 document in which no object has two members with one name.
    pub fn without_duplicates(
        body: &'a [u8],
        limits: &JsonLimits,
    ) -> Result<Self, StrictJsonError> {
        let scanned = scan_body(body, limits, true)?;
        match (scanned.duplicates, scanned.document) {
            (Some(duplicates), _) => Err(StrictJsonError::Duplicate(duplicates)),
            (None, Some(document)) => Ok(document),
            (None, None) => Err(NO_VALUE),
        }
    }

    #[cfg(test)]
    pub(super) const NODE_BYTES: usize = size_of::<Node<'static>>();

    /// The outermost value.
    pub fn root(&self) -> Value<'_, 'a> {
        Value { node: self.root, inside: &self.inside }
    }
}

/// The scanner gives a reader one value at least, or an error.
const NO_VALUE: StrictJsonError =
    StrictJsonError::Invalid { offset: 0, what: "the document has no value" };

/// Collects the nodes of a document.
pub(super) struct Nodes<'a> {
    root: Option<Node<'a>>,
    inside: Vec<Node<'a>>,
    /// How many there are, the root included. The limit on members keeps it below 2^32.
    count: u32,
    /// The containers that are open within the root, innermost last: which node each is, and how
    /// many nodes there were once it was pushed.
    open: Vec<(usize, u32)>,
}

impl<'a> Nodes<'a> {
    pub(super) fn for_body(body: &[u8]) -> Self {
        let inside = Vec::with_capacity(body.len().min(4096) / 8);
        Self { root: None, inside, count: 0, open: Vec::with_capacity(16) }
    }

    pub(super) fn into_document(self) -> Result<Document<'a>, StrictJsonError> {
        Ok(Document { root: self.root.ok_or(NO_VALUE)?, inside: self.inside })
    }

    #[inline(always)]
    fn push(&mut self, kind: Kind, text: Text<'a>, inside: u32) {
        let node = Node { raw: text.raw, has_escapes: text.has_escapes, kind, inside };
        self.count += 1;
        if self.root.is_none() {
            self.root = Some(node);
        } else {
            self.inside.push(node);
        }
    }
}

impl<'a> Reader<'a> for Nodes<'a> {
    #[inline(always)]
    fn open(&mut self, container: Container) {
        let kind = match container {
            Container::Object => Kind::Object,
            Container::Array => Kind::Array,
        };
        // Until it is closed, a container holds everything that follows.
        let index = self.inside.len();
        let is_root = self.root.is_none();
        self.push(kind, Text::plain(""), u32::MAX);
        if !is_root {
            self.open.push((index, self.count));
        }
    }

    #[inline(always)]
    fn close(&mut self, _: Container) {
        // The root is not among the open ones: it holds all that there is.
        if let Some((index, before)) = self.open.pop()
            && let Some(node) = self.inside.get_mut(index)
        {
            node.inside = self.count - before;
        }
    }

    #[inline(always)]
    fn key(&mut self, name: Text<'a>) {
        self.push(Kind::String, name, 0);
    }

    #[inline(always)]
    fn scalar(&mut self, scalar: Scalar<'a>) {
        match scalar {
            Scalar::String(text) => self.push(Kind::String, text, 0),
            Scalar::Number(text) => self.push(Kind::Number, Text::plain(text), 0),
            Scalar::Bool(true) => self.push(Kind::Bool, Text::plain("true"), 0),
            Scalar::Bool(false) => self.push(Kind::Bool, Text::plain("false"), 0),
            Scalar::Null => self.push(Kind::Null, Text::plain(""), 0),
        }
    }
}

/// One value of a [`Document`].
#[derive(Clone, Copy)]
pub struct Value<'d, 'a> {
    node: Node<'a>,
    inside: &'d [Node<'a>],
}

impl<'d, 'a> Value<'d, 'a> {
    pub fn kind(self) -> Kind {
        self.node.kind
    }

    /// The unescaped text, if this is a string.
    pub fn as_str(self) -> Option<Cow<'a, str>> {
        (self.node.kind == Kind::String).then(|| self.node.unescape())
    }

    /// The number as written, if this is one.
    pub fn as_number(self) -> Option<&'a str> {
        (self.node.kind == Kind::Number).then_some(self.node.raw)
    }

    /// The number, if it is written as an integer (no sign, fraction or exponent) below 2^64.
    pub fn as_u64(self) -> Option<u64> {
        self.as_number()?.parse().ok()
    }

    /// The truth value, if this is one.
    pub fn as_bool(self) -> Option<bool> {
        (self.node.kind == Kind::Bool).then_some(self.node.raw == "true")
    }

    /// The members in the order of the text with unescaped names, duplicates included. A value that
    /// is not an object has none.
    pub fn members(self) -> impl Iterator<Item = (Cow<'a, str>, Value<'d, 'a>)> {
        let mut keys = self.children(Kind::Object);
        std::iter::from_fn(move || {
            let name = keys.next()?;
            let value = keys.next()?;
            Some((name.node.unescape(), value))
        })
    }

    /// The first member `name`. In a document without duplicates it is the only one.
    pub fn member(self, name: &str) -> Option<Value<'d, 'a>> {
        self.members().find(|(found, _)| found == name).map(|(_, value)| value)
    }

    /// The elements in order. A value that is not an array has none.
    pub fn elements(self) -> impl Iterator<Item = Value<'d, 'a>> {
        self.children(Kind::Array)
    }

    fn children(self, kind: Kind) -> impl Iterator<Item = Value<'d, 'a>> {
        let mut rest = if self.node.kind == kind { self.inside } else { &[] };
        std::iter::from_fn(move || {
            let (node, after) = rest.split_first()?;
            let (inside, next) =
                after.split_at_checked(node.inside as usize).unwrap_or((after, &[]));
            rest = next;
            Some(Value { node: *node, inside })
        })
    }
}
