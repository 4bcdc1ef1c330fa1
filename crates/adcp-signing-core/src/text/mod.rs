//! What several rooms need for plain text: character classes.

pub(crate) mod class;
