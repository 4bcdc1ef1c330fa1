#![doc = include_str!("../README.md")]

pub mod report;

pub use report::{FORMAT, Report};
