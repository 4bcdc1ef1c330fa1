//! A whole document with every member kept, duplicates included.

use std::borrow::Cow;

use super::StrictJsonError;
use super::scanner::{Container, Reader, Scalar, Text, scan};

/// A parsed document, as one flat list of nodes: a subtree is skipped in one step and nothing
/// recurses.
pub(crate) struct Document<'a> {
    nodes: Vec<Node<'a>>,
}

struct Node<'a> {
    token: Token<'a>,
    /// The index after this node and all that it contains.
    next: usize,
}

#[derive(Clone, Copy)]
enum Token<'a> {
    Open(Container),
    Key(Text<'a>),
    Scalar(Scalar<'a>),
}

/// The type of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Object,
    Array,
    String,
    Number,
    Bool,
    Null,
}

impl<'a> Document<'a> {
    /// Reads one strict RFC 8259 document.
    pub(crate) fn parse(body: &'a [u8]) -> Result<Self, StrictJsonError> {
        let nodes = Vec::with_capacity(body.len().min(4096) / 8);
        let mut nodes = Nodes { nodes, open: Vec::with_capacity(16) };
        scan(body, &mut nodes)?;
        Ok(Self { nodes: nodes.nodes })
    }

    /// The outermost value.
    pub(crate) fn root(&self) -> Value<'_, 'a> {
        Value { document: self, index: 0 }
    }

    fn node(&self, index: usize) -> Option<&Node<'a>> {
        self.nodes.get(index)
    }
}

struct Nodes<'a> {
    nodes: Vec<Node<'a>>,
    open: Vec<usize>,
}

impl<'a> Nodes<'a> {
    fn push(&mut self, token: Token<'a>) {
        self.nodes.push(Node { token, next: self.nodes.len() + 1 });
    }
}

impl<'a> Reader<'a> for Nodes<'a> {
    fn open(&mut self, container: Container) {
        self.open.push(self.nodes.len());
        self.push(Token::Open(container));
    }

    fn close(&mut self, _: Container) {
        let end = self.nodes.len();
        if let Some(node) = self.open.pop().and_then(|index| self.nodes.get_mut(index)) {
            node.next = end;
        }
    }

    fn key(&mut self, name: Text<'a>) {
        self.push(Token::Key(name));
    }

    fn scalar(&mut self, scalar: Scalar<'a>) {
        self.push(Token::Scalar(scalar));
    }
}

/// One value of a [`Document`].
#[derive(Clone, Copy)]
pub(crate) struct Value<'d, 'a> {
    document: &'d Document<'a>,
    index: usize,
}

impl<'d, 'a> Value<'d, 'a> {
    pub(crate) fn kind(self) -> Kind {
        match self.document.node(self.index).map(|node| node.token) {
            Some(Token::Open(Container::Object)) => Kind::Object,
            Some(Token::Open(Container::Array)) => Kind::Array,
            Some(Token::Scalar(Scalar::String(_)) | Token::Key(_)) => Kind::String,
            Some(Token::Scalar(Scalar::Number)) => Kind::Number,
            Some(Token::Scalar(Scalar::Bool)) => Kind::Bool,
            Some(Token::Scalar(Scalar::Null)) | None => Kind::Null,
        }
    }

    /// The unescaped text, where this is a string.
    pub(crate) fn as_str(self) -> Option<Cow<'a, str>> {
        match self.document.node(self.index)?.token {
            Token::Scalar(Scalar::String(text)) => Some(text.unescape()),
            _ => None,
        }
    }

    /// The members in wire order with unescaped names, duplicates included; none where this is no
    /// object.
    pub(crate) fn members(self) -> impl Iterator<Item = (Cow<'a, str>, Value<'d, 'a>)> {
        let document = self.document;
        let mut keys = self.children(Kind::Object);
        std::iter::from_fn(move || {
            let key = keys.next()?;
            let value = keys.next()?;
            match document.node(key.index)?.token {
                Token::Key(name) => Some((name.unescape(), value)),
                _ => None,
            }
        })
    }

    /// The elements in order; none where this is no array.
    pub(crate) fn elements(self) -> impl Iterator<Item = Value<'d, 'a>> {
        self.children(Kind::Array)
    }

    fn children(self, kind: Kind) -> impl Iterator<Item = Value<'d, 'a>> {
        let document = self.document;
        let end =
            document.node(self.index).filter(|_| self.kind() == kind).map_or(0, |node| node.next);
        let mut index = self.index + 1;
        std::iter::from_fn(move || {
            let child = (index < end).then_some(Value { document, index })?;
            index = document.node(index)?.next;
            Some(child)
        })
    }
}
