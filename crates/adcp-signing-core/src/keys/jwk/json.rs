//! JSON read strictly: bounded, and no object may name a member twice.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

/// The longest document read: the size budget that AdCP gives a JWKS.
pub(super) const MAX_LEN: usize = 64 * 1024;

/// Why bytes are not a JSON text that can be read without ambiguity.
///
/// Gives the place only: what stands there may be a secret, or chosen by whoever sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JsonError {
    /// More than 64 KiB.
    #[error("longer than 64 KiB")]
    TooLong,
    /// Not one JSON text (RFC 8259), or nested deeper than 127 levels.
    #[error("not valid JSON at line {line}, column {column}")]
    Syntax {
        /// The line, from 1.
        line: usize,
        /// The column in bytes, from 1.
        column: usize,
    },
    /// An object has two members of one name, so readers may disagree on what it says.
    #[error("a member name occurs twice in one object, at line {line}, column {column}")]
    DuplicateMember {
        /// The line of the second member, from 1.
        line: usize,
        /// The column in bytes, from 1.
        column: usize,
    },
}

/// A JSON value. Strings borrow from the text unless it escapes them.
pub(super) enum Json<'a> {
    String(Cow<'a, str>),
    Array(Vec<Json<'a>>),
    Object(Object<'a>),
    /// Null, a boolean or a number: nothing here has one where it means anything.
    Other,
}

pub(super) type Object<'a> = BTreeMap<Cow<'a, str>, Json<'a>>;

impl<'a> Json<'a> {
    pub(super) fn parse(text: &'a [u8]) -> Result<Self, JsonError> {
        if text.len() > MAX_LEN {
            return Err(JsonError::TooLong);
        }
        serde_json::from_slice(text).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            // The visitor below takes every type and raises one error of its own.
            match error.classify() {
                serde_json::error::Category::Data => JsonError::DuplicateMember { line, column },
                _ => JsonError::Syntax { line, column },
            }
        })
    }
}

impl<'de> Deserialize<'de> for Json<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Json::Other)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Json::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Json::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(Json::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Json::Other)
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Json::String(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Json::String(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut array = Vec::new();
        while let Some(item) = items.next_element()? {
            array.push(item);
        }
        Ok(Json::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut object = Object::new();
        while let Some(name) = members.next_key::<Name<'de>>()? {
            if object.contains_key(&name.0) {
                return Err(A::Error::custom("a member name occurs twice in one object"));
            }
            object.insert(name.0, members.next_value()?);
        }
        Ok(Json::Object(object))
    }
}

/// A member name. `Cow` itself would always copy.
struct Name<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Json::deserialize(deserializer)? {
            Json::String(name) => Ok(Self(name)),
            _ => Err(D::Error::custom("a member name must be a string")),
        }
    }
}
