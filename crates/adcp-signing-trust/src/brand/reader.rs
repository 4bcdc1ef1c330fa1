//! Typed members of a JSON value, and where each is.

use std::fmt;

use adcp_signing_core::json::{Kind, Value};

use super::error::BrandJsonError;

/// Where a value is in the document, such as `brands[2].agents`. Only names of the schema are in it.
pub(super) enum Path<'p> {
    Root,
    Member(&'p Path<'p>, &'static str),
    Element(&'p Path<'p>, usize),
}

impl Path<'_> {
    pub(super) fn wrong(&self, what: &'static str) -> BrandJsonError {
        BrandJsonError::Member { path: self.to_string(), what }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => f.write_str("$"),
            Self::Member(Path::Root, name) => f.write_str(name),
            Self::Member(parent, name) => write!(f, "{parent}.{name}"),
            Self::Element(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

pub(super) fn optional_text(
    value: Value<'_, '_>,
    path: &Path<'_>,
    name: &'static str,
) -> Result<Option<String>, BrandJsonError> {
    let Some(member) = value.member(name) else { return Ok(None) };
    let text = member.as_str().ok_or_else(|| Path::Member(path, name).wrong("is not a string"))?;
    Ok(Some(text.into_owned()))
}

pub(super) fn required_text(
    value: Value<'_, '_>,
    path: &Path<'_>,
    name: &'static str,
) -> Result<String, BrandJsonError> {
    optional_text(value, path, name)?.ok_or_else(|| Path::Member(path, name).wrong("is missing"))
}

/// What each element of an array of objects reads as. `None` where the array is absent.
pub(super) fn objects<T>(
    value: Value<'_, '_>,
    path: &Path<'_>,
    name: &'static str,
    mut read: impl FnMut(Value<'_, '_>, &Path<'_>) -> Result<T, BrandJsonError>,
) -> Result<Option<Vec<T>>, BrandJsonError> {
    let Some(array) = value.member(name) else { return Ok(None) };
    let path = Path::Member(path, name);
    if array.kind() != Kind::Array {
        return Err(path.wrong("is not an array"));
    }
    let elements = array.elements().enumerate().map(|(index, element)| {
        let path = Path::Element(&path, index);
        if element.kind() != Kind::Object {
            return Err(path.wrong("is not an object"));
        }
        read(element, &path)
    });
    elements.collect::<Result<_, _>>().map(Some)
}
