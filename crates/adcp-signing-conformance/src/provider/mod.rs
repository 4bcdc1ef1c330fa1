//! The conformance suite for signing providers: what every backend, of this project or a third
//! party's, must do.
//!
//! A backend implements [`Harness`] and calls [`run`] from a test; the crate's first example is the
//! smallest one.

mod case;
mod cases;
mod harness;
mod independent;
mod leaks;
mod report;
mod suite;
mod wrapper;

pub use self::{
    case::Case,
    harness::{Fault, Faults, Harness, HarnessError, KeySpec, KeyState},
    report::{CaseReport, Outcome, SuiteReport, Unsatisfied},
    suite::{Suite, run},
    wrapper::run_wrapper,
};
