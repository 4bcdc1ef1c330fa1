//! The types of the `http` crate as a message that is signed or verified (feature `http`).

mod origin;
mod request;
#[cfg(test)]
mod tests;

pub use self::{
    origin::{Origin, OriginError},
    request::HttpRequest,
};
