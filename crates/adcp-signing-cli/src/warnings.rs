//! Events of the library for the operator, on standard error: its warnings, and with `--verbose`
//! whatever it reports.

use std::{
    collections::HashSet,
    fmt::{self, Write as _},
    sync::Mutex,
};

use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
    subscriber,
};

use crate::output::{DIM, WARN, shown};

/// What belongs to this project.
const OURS: &str = "adcp_signing";
/// Where a warning goes with an error that is printed anyway.
const WITH_ERROR: &str = "adcp_signing_core::provider::layers";
/// The module that warns of a key URI.
pub(crate) const KEY_URI: &str = "adcp_signing::schemes";
/// The target of warnings of the settings of a verifier.
pub(crate) const VERIFY: &str = "adcp_signing::verify";

/// What is shown.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shown {
    /// Everything of this project, and what its dependencies report of level INFO and above. Their
    /// lower levels are left out, because they may hold what was sent.
    pub(crate) verbose: bool,
    /// A module or target that the command leaves out: it shows that itself, or its user cannot
    /// change it.
    pub(crate) left_out: Option<&'static str>,
}

/// Shows events from now on, each warning once: `sign --ndjson` opens the same file for every line.
pub(crate) fn show(what: Shown) {
    // Only a second call fails.
    let _ = subscriber::set_global_default(Warnings { what, shown: Mutex::default() });
}

struct Warnings {
    what: Shown,
    shown: Mutex<HashSet<String>>,
}

impl Subscriber for Warnings {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let (level, target) = (*metadata.level(), metadata.target());
        let ours = target.starts_with(OURS);
        let places = [Some(target), metadata.module_path()];
        metadata.is_event()
            && match self.what.verbose {
                true => ours || level <= Level::INFO,
                false if self.what.left_out.is_some() && places.contains(&self.what.left_out) => {
                    false
                }
                false => ours && level <= Level::WARN && !target.starts_with(WITH_ERROR),
            }
    }

    fn event(&self, event: &Event<'_>) {
        let mut text = Message::default();
        event.record(&mut text);
        let text = text.line();
        match *event.metadata().level() {
            Level::ERROR | Level::WARN => {
                if self.shown.lock().is_ok_and(|mut shown| shown.insert(text.clone())) {
                    anstream::eprintln!("{WARN}warning{WARN:#}: {}", shown(&text));
                }
            }
            _ => anstream::eprintln!(
                "{DIM}{} {}: {}{DIM:#}",
                event.metadata().level().as_str().to_ascii_lowercase(),
                event.metadata().target(),
                shown(&text)
            ),
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

/// The message of an event and its fields.
#[derive(Default)]
struct Message {
    text: String,
    fields: String,
}

impl Message {
    fn line(self) -> String {
        let separator = if self.text.is_empty() || self.fields.is_empty() { "" } else { ":" };
        format!("{}{separator}{}", self.text, self.fields)
    }
}

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = match field.name() {
            "message" => write!(self.text, "{value:?}"),
            "warning" => write!(self.fields, " {value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}
