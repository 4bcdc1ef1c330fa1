//! A `tracing` subscriber that keeps what is recorded as text, for the tests of what is logged.

use std::{
    fmt::{self, Write as _},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use parking_lot::Mutex;
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
    subscriber::DefaultGuard,
};

/// The spans and events of the current thread, a line each, in their order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Captured(Arc<Mutex<Vec<String>>>);

impl Captured {
    /// Captures until the guard is dropped.
    pub(crate) fn start() -> (Self, DefaultGuard) {
        let captured = Self::default();
        let subscriber = Capture { lines: captured.clone(), spans: AtomicU64::new(0) };
        (captured, tracing::subscriber::set_default(subscriber))
    }

    /// What has been recorded since the last call.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock())
    }

    /// The events among what has been recorded since the last call.
    pub(crate) fn events(&self) -> Vec<String> {
        let is_event = |line: &String| !line.starts_with("span ") && !line.starts_with("record ");
        self.take().into_iter().filter(is_event).collect()
    }
}

struct Capture {
    lines: Captured,
    spans: AtomicU64,
}

impl Subscriber for Capture {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("adcp_signing")
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut line = Line(format!("span {}", span.metadata().name()));
        span.record(&mut line);
        self.lines.0.lock().push(line.0);
        Id::from_u64(self.spans.fetch_add(1, Ordering::Relaxed) + 1)
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        self.lines.0.lock().push(line.0);
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        let mut line = Line("record".to_owned());
        values.record(&mut line);
        self.lines.0.lock().push(line.0);
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        write!(self.0, " {}={value:?}", field.name()).unwrap();
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        assert!(value >= 0.0);
        write!(self.0, " {}=_", field.name()).unwrap();
    }
}
