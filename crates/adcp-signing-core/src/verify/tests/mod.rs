//! The checklist over edges that answer as told: its order, its edges, its answer, and step 0.

mod causes;
mod edges;
mod fields;
mod head;
mod logging;
#[cfg(feature = "metrics")]
mod metrics;
mod operation;
mod order;
mod outcome;
mod properties;
mod support;
mod tasks;
