#![doc = include_str!("../README.md")]

pub mod fault;
pub mod forge;
pub mod html;
pub mod report;

pub use fault::Fault;
pub use report::{FORMAT, Report};
