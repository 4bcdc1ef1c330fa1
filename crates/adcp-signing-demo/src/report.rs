//! What the demo reports: headings and checks, as a text for people and as JSON for machines.

use std::fmt;

use anstyle::{AnsiColor, Style};
use serde_json::{Map, Value, json};

const HEAD: Style = Style::new().bold();
const GOOD: Style = AnsiColor::Green.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();
const DIM: Style = Style::new().dimmed();

/// How wide the columns of a check are: its name, and what was done.
const NAME: usize = 11;
const DID: usize = 36;

/// One step of the demo: what was done, what must come of it, and what came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// The chapter that it belongs to.
    pub chapter: &'static str,
    /// Its name, unique in its chapter.
    pub name: &'static str,
    /// What was done.
    pub did: &'static str,
    /// What must come of it.
    pub must: String,
    /// What came of it.
    pub came: String,
    /// More for machines, such as the signature.
    pub details: Map<String, Value>,
}

impl Check {
    /// Whether what came is what must.
    pub fn passed(&self) -> bool {
        self.must == self.came
    }

    /// The parts of its line: a mark, its name, what was done, what came of it.
    pub(crate) fn columns(&self) -> [String; 4] {
        let (mark, came) = if self.passed() {
            ("✓", self.came.clone())
        } else {
            ("✗", format!("{}, and must be: {}", self.came, self.must))
        };
        [mark.to_owned(), self.name.to_owned(), self.did.to_owned(), came]
    }
}

/// The line of a check on a terminal.
impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let style = if self.passed() { GOOD } else { BAD };
        let [mark, name, did, came] = self.columns();
        write!(f, "  {style}{mark}{style:#} {name:NAME$}")?;
        if did.is_empty() {
            return write!(f, "{came}");
        }
        write!(f, "{DIM}{did:DID$}{DIM:#}{came}")
    }
}

/// A line of the report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// The heading of a chapter.
    Heading(String),
    /// A check.
    Check(Check),
}

/// Shows a line.
type Show = dyn FnMut(&dyn fmt::Display) + Send;

/// What has happened so far. Each line is shown as soon as it is known.
pub struct Report {
    lines: Vec<Line>,
    chapter: &'static str,
    show: Box<Show>,
}

impl Report {
    /// A report whose lines `show` is given one by one.
    pub fn new(show: impl FnMut(&dyn fmt::Display) + Send + 'static) -> Self {
        Self { lines: Vec::new(), chapter: "", show: Box::new(show) }
    }

    /// All lines but the last one.
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// The checks.
    pub fn checks(&self) -> impl Iterator<Item = &Check> {
        self.lines.iter().filter_map(|line| match line {
            Line::Check(check) => Some(check),
            Line::Heading(_) => None,
        })
    }

    /// Whether there was a check and all have passed.
    pub fn passed(&self) -> bool {
        self.checks().next().is_some() && self.checks().all(Check::passed)
    }

    /// The exit code: 0 where it has passed, else 1.
    pub fn exit_code(&self) -> u8 {
        u8::from(!self.passed())
    }

    /// The last line.
    pub fn summary(&self) -> String {
        let all = self.checks().count();
        let failed = self.checks().filter(|check| !check.passed()).count();
        if self.passed() {
            format!("{all} checks passed. OpenBao has ended, and its keys with it.")
        } else {
            format!("{failed} of {all} checks failed.")
        }
    }

    /// Shows the last line.
    pub fn end(&mut self) {
        let style = if self.passed() { GOOD } else { BAD };
        let summary = self.summary();
        (self.show)(&format_args!("\n{style}{summary}{style:#}"));
    }

    /// One JSON object.
    pub fn json(&self) -> Value {
        let checks = self.checks().map(|check| {
            json!({
                "chapter": check.chapter,
                "name": check.name,
                "did": check.did,
                "must": check.must,
                "came": check.came,
                "passed": check.passed(),
                "details": check.details,
            })
        });
        json!({ "passed": self.passed(), "checks": checks.collect::<Vec<_>>() })
    }

    /// Begins a chapter.
    pub(crate) fn chapter(&mut self, name: &'static str, heading: impl Into<String>) {
        let heading = heading.into();
        let gap = if self.lines.is_empty() { "" } else { "\n" };
        (self.show)(&format_args!("{gap}{HEAD}{heading}{HEAD:#}"));
        self.chapter = name;
        self.lines.push(Line::Heading(heading));
    }

    /// Notes a check of this chapter.
    pub(crate) fn check(
        &mut self,
        name: &'static str,
        did: &'static str,
        must: impl fmt::Display,
        came: impl fmt::Display,
    ) {
        self.check_with(name, did, must, came, Map::new());
    }

    /// Notes a check of this chapter, with more for machines.
    pub(crate) fn check_with(
        &mut self,
        name: &'static str,
        did: &'static str,
        must: impl fmt::Display,
        came: impl fmt::Display,
        details: Map<String, Value>,
    ) {
        let (chapter, must, came) = (self.chapter, must.to_string(), came.to_string());
        let check = Check { chapter, name, did, must, came, details };
        (self.show)(&check);
        self.lines.push(Line::Check(check));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parking_lot::Mutex;

    use super::*;

    fn text(make: impl FnOnce(&mut Report)) -> (Report, String) {
        let shown = Arc::new(Mutex::new(String::new()));
        let into = Arc::clone(&shown);
        let mut report = Report::new(move |line| {
            let line = anstream::adapter::strip_str(&line.to_string()).to_string();
            *into.lock() += &format!("{line}\n");
        });
        make(&mut report);
        report.end();
        let text = shown.lock().clone();
        (report, text)
    }

    #[test]
    fn a_check_that_came_out_otherwise_fails_the_report_and_shows_both() {
        let (report, text) = text(|report| {
            report.chapter("one", "One");
            report.check("replay", "the same bytes again", "401 replayed", "200");
            report.check("covers", "", "@method", "@method");
        });
        assert_eq!((report.passed(), report.exit_code()), (false, 1));
        assert_eq!(report.json()["passed"], false);
        let expected = "One\n  \
            ✗ replay     the same bytes again                200, and must be: 401 replayed\n  \
            ✓ covers     @method\n\n1 of 2 checks failed.\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_report_without_a_check_has_not_passed() {
        let (report, text) = text(|report| report.chapter("one", "One"));
        assert_eq!((report.passed(), report.exit_code()), (false, 1), "{text}");
    }

    #[test]
    fn a_report_whose_checks_all_came_as_they_must_has_passed() {
        let (report, text) = text(|report| report.check("replay", "again", "401", 401));
        assert_eq!((report.passed(), report.exit_code()), (true, 0), "{text}");
    }
}
