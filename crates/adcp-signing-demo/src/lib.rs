#![doc = include_str!("../README.md")]

mod buyer;
mod key;
mod openbao;
mod picture;
mod report;
mod seller;
mod story;
mod wire;

/// The programs of the pages that need every crate are tests.
#[cfg(doctest)]
mod pages {
    #[doc = include_str!("../../../README.md")]
    struct Readme;

    #[doc = include_str!("../../../docs/migration.md")]
    struct Migration;
}

pub use self::{
    picture::svg,
    report::{Check, Line, Report},
    story::{Stage, play},
};
