//! When a signing key may change: a plan with a date and a reason for each step.
//!
//! [`Rotating`](crate::provider::layers::Rotating) changes the key of a signer;
//! [`RotationPlan::rotation`] gives it the times.

mod plan;
mod times;

pub use self::{
    plan::{RotationAction, RotationPlan, RotationPlanError, RotationStage, RotationStep},
    times::{RotationTimes, RotationTimesError},
};
