//! The search for secrets in everything that a provider shows.

use std::{
    collections::BTreeSet,
    error::Error as StdError,
    fmt::{self, Write as _},
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

use base64ct::{Base64Unpadded, Base64UrlUnpadded, Encoding as _};
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
    subscriber::Interest,
};

/// The secrets, in every form in which they could show, and where they did.
#[derive(Debug)]
pub(super) struct Leaks {
    needles: Vec<Vec<(&'static str, String)>>,
    found: Mutex<BTreeSet<String>>,
}

impl Leaks {
    pub(super) fn new(secrets: &[String]) -> Self {
        Self {
            needles: secrets.iter().map(|secret| forms(secret)).collect(),
            found: Mutex::default(),
        }
    }

    /// Whether there is nothing to look for, or something so empty that it is everywhere.
    pub(super) fn is_idle(&self) -> bool {
        self.needles.is_empty() || self.needles.iter().flatten().any(|(_, text)| text.is_empty())
    }

    /// Where secrets showed. Names them by their place in the list.
    pub(super) fn found(&self) -> Vec<String> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// Whether the text shows a secret. Remembers where.
    pub(super) fn search(&self, place: &str, text: &str) -> bool {
        let mut shows = false;
        for (index, needle) in self.needles.iter().enumerate() {
            if let Some((form, _)) = needle.iter().find(|(_, form)| text.contains(form)) {
                let found = format!("secret {index} ({form}) in {place}");
                self.found.lock().unwrap_or_else(PoisonError::into_inner).insert(found);
                shows = true;
            }
        }
        shows
    }

    pub(super) fn search_debug(&self, what: &str, value: &dyn fmt::Debug) -> bool {
        self.search(&format!("Debug of {what}"), &format!("{value:?}\n{value:#?}"))
    }

    /// Searches `Display` and `Debug` of the error and of every cause. Gives the chain as a line to
    /// report, unless it shows a secret.
    pub(super) fn search_error(&self, error: &(dyn StdError + 'static)) -> String {
        let mut shows = false;
        let mut line = Vec::new();
        let mut place = "an error";
        for link in std::iter::successors(Some(error), |&link| link.source()) {
            let text = link.to_string();
            shows |= self.search(&format!("Display of {place}"), &text);
            shows |= self.search_debug(place, &link);
            line.push(text);
            place = "the cause of an error";
        }
        if shows { "an error that shows a secret".to_owned() } else { line.join(": ") }
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

/// What one run looks for in the logs.
#[derive(Debug)]
pub(super) struct Watch {
    leaks: Arc<Leaks>,
    targets: Vec<String>,
}

impl Watch {
    fn wants(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::INFO
            || self.targets.iter().any(|target| metadata.target().starts_with(target.as_str()))
    }
}

/// The runs under way in this process.
static RUNS: Mutex<Vec<Weak<Watch>>> = Mutex::new(Vec::new());

/// A `tracing` subscriber that searches what is recorded and keeps nothing.
pub(super) struct Capture {
    /// The run that it searches for. Without one, all that are under way: what a background task or
    /// a thread of the backend's own records cannot be told apart.
    watch: Option<Arc<Watch>>,
    spans: AtomicU64,
}

impl Capture {
    /// A subscriber for the futures of one run. Everything else in the process is searched too,
    /// unless the process has a global subscriber of its own.
    pub(super) fn new(leaks: Arc<Leaks>, targets: Vec<String>) -> Self {
        let watch = Arc::new(Watch { leaks, targets });
        let mut runs = RUNS.lock().unwrap_or_else(PoisonError::into_inner);
        runs.retain(|run| run.strong_count() > 0);
        runs.push(Arc::downgrade(&watch));
        drop(runs);
        let _ =
            tracing::subscriber::set_global_default(Self { watch: None, spans: AtomicU64::new(1) });
        Self { watch: Some(watch), spans: AtomicU64::new(1) }
    }

    fn watches(&self) -> Vec<Arc<Watch>> {
        match &self.watch {
            Some(watch) => vec![Arc::clone(watch)],
            None => RUNS
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .iter()
                .filter_map(Weak::upgrade)
                .collect(),
        }
    }

    fn search(&self, metadata: &Metadata<'_>, fields: &Fields) {
        for watch in self.watches().iter().filter(|watch| watch.wants(metadata)) {
            watch.leaks.search(&format!("tracing output of {}", metadata.target()), &fields.0);
        }
    }
}

impl Subscriber for Capture {
    /// Runs come and go, so what one of them wants cannot be remembered.
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::sometimes()
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.watches().iter().any(|watch| watch.wants(metadata))
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut fields = Fields::default();
        span.record(&mut fields);
        self.search(span.metadata(), &fields);
        Id::from_u64(self.spans.fetch_add(1, Ordering::Relaxed).max(1))
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        let mut fields = Fields::default();
        values.record(&mut fields);
        for watch in self.watches() {
            watch.leaks.search("tracing output of a span", &fields.0);
        }
    }

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        self.search(event.metadata(), &fields);
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
        for link in std::iter::successors(Some(value), |&link| link.source()) {
            let _ = writeln!(self.0, "{link}\n{link:?}");
        }
    }

    fn record_debug(&mut self, _: &Field, value: &dyn fmt::Debug) {
        let _ = writeln!(self.0, "{value:?}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "s3cr\"t/arn:1";

    #[test]
    fn a_secret_is_found_in_every_form_and_never_repeated() {
        let shown = [
            format!("token={SECRET}!"),
            format!("{SECRET:?}"),
            format!("{:?}", SECRET.as_bytes()),
            format!("{:?}", [b"before", SECRET.as_bytes()].concat()),
            "s3cr%22t%2Farn%3A1".to_owned(),
            "basic czNjciJ0L2Fybjox==".to_owned(),
            "733363722274 2f61726e3a31".replace(' ', ""),
            "733363722274 2F61726E3A31".replace(' ', ""),
        ];
        for text in shown {
            let leaks = Leaks::new(&["another".to_owned(), SECRET.to_owned()]);
            assert!(leaks.search("a place", &text), "{text}");
            let found = leaks.found();
            assert!(
                matches!(&*found, [one] if one.starts_with("secret 1 (") && !one.contains(SECRET)),
                "{found:?}"
            );
        }
    }

    #[test]
    fn what_is_no_secret_is_not_found() {
        let leaks = Leaks::new(&[SECRET.to_owned()]);
        assert!(!leaks.search("a place", "s3cr t/arn:1 and [115, 51, 99]"));
        assert_eq!(leaks.found(), Vec::<String>::new());
    }

    #[test]
    fn the_whole_chain_of_causes_is_searched() {
        let leaks = Leaks::new(&[SECRET.to_owned()]);
        let clean = std::io::Error::other("the cause");
        assert_eq!(leaks.search_error(&clean), "the cause");
        let error = adcp_signing_core::ProviderError::new(
            adcp_signing_core::ProviderErrorKind::Timeout,
            "slow",
        )
        .with_source(std::io::Error::other(std::io::Error::other(SECRET)));
        assert_eq!(leaks.search_error(&error), "an error that shows a secret");
        assert!(
            leaks.found().iter().any(|place| place.contains("the cause of an error")),
            "{:?}",
            leaks.found()
        );
    }

    #[test]
    fn nothing_to_look_for_is_noticed() {
        assert!(Leaks::new(&[]).is_idle());
        assert!(Leaks::new(&[SECRET.to_owned(), String::new()]).is_idle());
        assert!(!Leaks::new(&[SECRET.to_owned()]).is_idle());
    }
}
