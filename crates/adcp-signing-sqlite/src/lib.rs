#![cfg_attr(docsrs, feature(doc_cfg))]
#![doc = include_str!("../README.md")]

mod claims;
mod database;
mod deliveries;

pub use self::{claims::SqliteClaims, database::OpenError, deliveries::SqliteDeliveries};
