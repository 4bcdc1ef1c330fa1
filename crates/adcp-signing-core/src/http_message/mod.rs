//! The requests of HTTP libraries as messages that are signed or verified (feature `http`).

mod head;
mod origin;
mod request;
#[cfg(test)]
mod tests;

pub use self::{
    head::RequestHead,
    origin::{Origin, OriginError},
    request::HttpRequest,
};
