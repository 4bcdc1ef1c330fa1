//! The search for secrets in everything that a provider shows.

use std::{
    collections::BTreeSet,
    error::Error as StdError,
    fmt::{self, Write as _},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use base64ct::{Base64Unpadded, Base64UrlUnpadded, Encoding as _};
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};

/// The secrets, in every form in which they could show, and where they did.
#[derive(Debug)]
pub(super) struct Leaks {
    needles: Vec<Vec<(&'static str, String)>>,
    found: Mutex<BTreeSet<String>>,
}

impl Leaks {
    pub(super) fn new(secrets: &[String]) -> Self {
        Self { needles: secrets.iter().map(|secret| forms(secret)).collect(), found: Mutex::default() }
    }

    /// Whether there is nothing to look for, or something so empty that it is everywhere.
    pub(super) fn is_idle(&self) -> bool {
        self.needles.is_empty() || self.needles.iter().flatten().any(|(_, text)| text.is_empty())
    }

    /// Where secrets showed. Names them by their place in the list.
    pub(super) fn found(&self) -> Vec<String> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    pub(super) fn search(&self, place: &str, text: &str) {
        for (index, needle) in self.needles.iter().enumerate() {
            if let Some((form, _)) = needle.iter().find(|(_, form)| text.contains(form)) {
                let found = format!("secret {index} ({form}) in {place}");
                self.found.lock().unwrap_or_else(PoisonError::into_inner).insert(found);
            }
        }
    }

    pub(super) fn search_debug(&self, what: &str, value: &dyn fmt::Debug) {
        self.search(&format!("Debug of {what}"), &format!("{value:?}\n{value:#?}"));
    }

    /// `Display` and `Debug` of the error and of every cause.
    pub(super) fn search_error(&self, error: &(dyn StdError + 'static)) {
        let mut next = Some(error);
        let mut place = "an error".to_owned();
        while let Some(link) = next {
            self.search(&format!("Display of {place}"), &link.to_string());
            self.search_debug(&place, &link);
            next = link.source();
            place = "the cause of an error".to_owned();
        }
    }
}

/// A text as it is and as it looks when bytes are printed.
fn forms(secret: &str) -> Vec<(&'static str, String)> {
    let bytes = secret.as_bytes();
    let hex = |upper: bool| {
        bytes.iter().fold(String::new(), |mut text, byte| {
            let _ = if upper { write!(text, "{byte:02X}") } else { write!(text, "{byte:02x}") };
            text
        })
    };
    let percent = bytes.iter().fold(String::new(), |mut text, &byte| {
        let _ = match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                text.write_char(char::from(byte))
            }
            _ => write!(text, "%{byte:02X}"),
        };
        text
    });
    let list = format!("{bytes:?}");
    vec![
        ("as it is", secret.to_owned()),
        ("escaped", secret.escape_debug().to_string()),
        ("percent-encoded", percent),
        ("in Base64", Base64Unpadded::encode_string(bytes)),
        ("in Base64", Base64UrlUnpadded::encode_string(bytes)),
        ("in hexadecimal", hex(false)),
        ("in hexadecimal", hex(true)),
        ("as a list of bytes", list.trim_matches(['[', ']']).to_owned()),
    ]
}

/// A `tracing` subscriber that searches what is recorded and keeps nothing.
pub(super) struct Capture {
    leaks: Arc<Leaks>,
    targets: Vec<String>,
    spans: AtomicU64,
}

impl Capture {
    pub(super) fn new(leaks: Arc<Leaks>, targets: Vec<String>) -> Self {
        Self { leaks, targets, spans: AtomicU64::new(1) }
    }

    fn search(&self, metadata: &Metadata<'_>, fields: Fields) {
        self.leaks.search(&format!("tracing output of {}", metadata.target()), &fields.0);
    }
}

impl Subscriber for Capture {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::INFO
            || self.targets.iter().any(|target| metadata.target().starts_with(target.as_str()))
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut fields = Fields::default();
        span.record(&mut fields);
        self.search(span.metadata(), fields);
        Id::from_u64(self.spans.fetch_add(1, Ordering::Relaxed).max(1))
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        let mut fields = Fields::default();
        values.record(&mut fields);
        self.leaks.search("tracing output of a span", &fields.0);
    }

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        self.search(event.metadata(), fields);
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[derive(Default)]
struct Fields(String);

impl Visit for Fields {
    fn record_str(&mut self, _: &Field, value: &str) {
        self.0.push_str(value);
        self.0.push('\n');
    }

    fn record_error(&mut self, _: &Field, value: &(dyn StdError + 'static)) {
        let mut next = Some(value);
        while let Some(link) = next {
            let _ = writeln!(self.0, "{link}\n{link:?}");
            next = link.source();
        }
    }

    fn record_debug(&mut self, _: &Field, value: &dyn fmt::Debug) {
        let _ = writeln!(self.0, "{value:?}");
    }
}
