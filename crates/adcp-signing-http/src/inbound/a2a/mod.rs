//! Servers made with the official Rust SDK of A2A (`a2a-server-lf`): who called, and whose a task
//! is.

mod called;
mod memory;
mod owners;
mod tasks;

pub(crate) use self::called::{Called, serve};
pub use self::{
    called::{operation, principal},
    memory::InMemoryTaskOwners,
    owners::{TaskOwner, TaskOwnerStore, TaskOwners},
    tasks::OwnedTasks,
};
