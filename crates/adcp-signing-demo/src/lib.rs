#![doc = include_str!("../README.md")]

mod buyer;
mod key;
mod openbao;
mod picture;
mod report;
mod seller;
mod story;
mod wire;

pub use self::{
    picture::svg,
    report::{Check, Line, Report},
    story::{Stage, play},
};
