//! Warnings of the library for the operator, on standard error.

use std::{
    collections::HashSet,
    fmt::{self, Write as _},
    sync::Mutex,
};

use adcp_signing::provider::toolkit::OPERATOR;
use anstyle::{AnsiColor, Style};
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
    subscriber,
};

use crate::output::shown;

const WARNING: Style = AnsiColor::Yellow.on_default().bold();

/// Shows what the library warns its operator of, each warning once: `sign --ndjson` opens the same
/// file for every line.
pub(crate) fn show() {
    // Only a second call fails.
    let _ = subscriber::set_global_default(Warnings::default());
}

#[derive(Default)]
struct Warnings(Mutex<HashSet<String>>);

impl Subscriber for Warnings {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && metadata.target() == OPERATOR && *metadata.level() <= Level::WARN
    }

    fn event(&self, event: &Event<'_>) {
        let mut text = Message(String::new());
        event.record(&mut text);
        let first = self.0.lock().is_ok_and(|mut shown| shown.insert(text.0.clone()));
        if first {
            anstream::eprintln!("{WARNING}warning{WARNING:#}: {}", shown(&text.0));
        }
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// The message of an event, without its other fields.
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            let _ = write!(self.0, "{value:?}");
        }
    }
}
