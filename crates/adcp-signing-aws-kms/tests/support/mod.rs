//! What the tests stand on.
#![allow(dead_code, reason = "each test binary uses a part of it")]

pub(crate) mod credentials;
pub(crate) mod emulator;
pub(crate) mod server;
