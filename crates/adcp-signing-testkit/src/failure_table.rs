//! The failure table of a backend's README, compared with what the backend prints.
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use adcp_signing_core::{ProviderError, ProviderErrorKind};

const SECTION: &str = "\n## Errors\n";
const COLUMNS: [&str; 3] = ["kind", "retried", "message"];

/// The tables of the section "Errors" of a README: what happened, the kind, whether it is retried,
/// and the message, in which `…` stands for what is left out.
///
/// A test provokes every row and gives each outcome to [`check`](Self::check). [`assert`](Self::assert)
/// fails where a row was not provoked, or something else was printed.
#[derive(Debug)]
pub struct FailureTable {
    rows: BTreeMap<String, Row>,
    /// The rows of the first table, in their order: those of the service's codes.
    first: Vec<String>,
    provoked: BTreeSet<String>,
    not_run: Vec<String>,
    elsewhere: Vec<(String, String)>,
    faults: Vec<String>,
}

#[derive(Debug)]
struct Row {
    kind: String,
    retried: String,
    message: String,
}

impl FailureTable {
    /// The tables of a README.
    ///
    /// # Panics
    /// When there is no such section, or a table in it has other columns.
    pub fn of_readme(readme: &str) -> Self {
        let (_, section) = readme.split_once(SECTION).expect("a section `## Errors`");
        let section = section.split("\n## ").next().unwrap_or_default();
        let mut table = Self {
            rows: BTreeMap::new(),
            first: Vec::new(),
            provoked: BTreeSet::new(),
            not_run: Vec::new(),
            elsewhere: Vec::new(),
            faults: Vec::new(),
        };
        let mut tables = 0;
        let mut within = false;
        for line in section.lines() {
            let Some(cells) = cells(line) else {
                within = false;
                continue;
            };
            let [what, kind, retried, message] = &*cells else {
                panic!("not a row of four columns: {line}")
            };
            if !within {
                within = true;
                tables += 1;
                assert_eq!([*kind, *retried, *message], COLUMNS, "the columns after `{what}`");
            } else if !what.starts_with("---") {
                let [kind, retried, message] =
                    [kind, retried, message].map(|cell| (*cell).to_owned());
                if tables == 1 {
                    table.first.push((*what).to_owned());
                }
                let row = Row { kind: kind.replace('`', ""), retried, message };
                let twice = table.rows.insert((*what).to_owned(), row);
                assert!(twice.is_none(), "two rows are called `{what}`");
            }
        }
        assert!(!table.rows.is_empty(), "the section `## Errors` has no table");
        table
    }

    /// The rows of the first table, with what stands in backticks in each: the service's codes.
    pub fn codes(&self) -> Vec<(String, Vec<String>)> {
        let codes = |what: &str| what.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        self.first.iter().map(|what| (what.clone(), codes(what))).collect()
    }

    /// Compares what was printed, `KIND: MESSAGE`, with the row `what`. `how` tells several provocations of one row apart.
    pub fn check(&mut self, what: &str, how: impl fmt::Display, printed: &str) {
        let Some((name, row)) = self.rows.iter().find(|(name, _)| *name == what) else {
            return self.faults.push(format!("no row is called `{what}`; printed: {printed}"));
        };
        self.provoked.insert(name.clone());
        let (kind, message) = printed.split_once(": ").unwrap_or(("", printed));
        let retried = ProviderErrorKind::ALL
            .iter()
            .find(|known| known.as_str() == kind)
            .map_or("?", |kind| if kind.is_retryable() { "yes" } else { "no" });
        let agrees = row.kind == kind && row.retried == retried && shows(&row.message, message);
        if !agrees {
            self.faults.push(format!("| {what} | `{kind}` | {retried} | {message} | ({how})"));
        }
    }

    /// Records that nothing can bring a row about here, and why.
    pub fn not_run(&mut self, what: &str, why: &str) {
        match self.rows.contains_key(what) {
            true => self.not_run.push(format!("{what}: {why}")),
            false => self.faults.push(format!("no row is called `{what}`")),
        }
    }

    /// Records that no row that is left can be brought about here, and why.
    pub fn rest_not_run(&mut self, why: &str) {
        let rest: Vec<_> =
            self.missing().into_iter().map(|what| format!("{what}: {why}")).collect();
        self.not_run.extend(rest);
    }

    /// Records that another test provokes a row, or the tests of another build, and which.
    pub fn elsewhere(&mut self, what: &str, place: &str) {
        match self.rows.contains_key(what) {
            true => self.elsewhere.push((what.to_owned(), place.to_owned())),
            false => self.faults.push(format!("no row is called `{what}`")),
        }
    }

    /// Ends the test. Rows that could not be run are printed, and fail it under `CI=true`.
    ///
    /// # Errors
    /// The rows that could not be run, under `CI=true`.
    ///
    /// # Panics
    /// When a row was not provoked, or something else was printed than it says.
    pub fn assert(self) -> Result<(), String> {
        let missing = self.missing();
        assert!(missing.is_empty(), "rows that nothing provokes: {missing:#?}");
        assert!(
            self.faults.is_empty(),
            "README.md says otherwise than what is printed:\n{}",
            self.faults.join("\n")
        );
        println!("{} rows provoked", self.provoked.len());
        self.elsewhere.iter().for_each(|(row, place)| println!("{row}: provoked by {place}"));
        self.not_run.iter().try_for_each(|row| crate::skip(row))
    }

    fn missing(&self) -> Vec<&String> {
        self.rows.keys().filter(|what| !self.is_known(what)).collect()
    }

    fn is_known(&self, what: &str) -> bool {
        self.provoked.contains(what)
            || self.elsewhere.iter().any(|(row, _)| row == what)
            || self.not_run.iter().any(|row| row.starts_with(&format!("{what}: ")))
    }
}

/// What is printed of a call that failed.
///
/// # Panics
/// When it did not fail.
pub fn shown<T: fmt::Debug>(outcome: Result<T, ProviderError>) -> String {
    outcome.expect_err("a failure").to_string()
}

/// The cells of a row of a Markdown table.
fn cells(line: &str) -> Option<Vec<&str>> {
    let row = line.trim().strip_prefix('|')?.strip_suffix('|')?;
    Some(row.split('|').map(str::trim).collect())
}

/// Whether the message is the one of the row, whose `…` stands for anything.
fn shows(row: &str, message: &str) -> bool {
    let plain = |text: &str| text.replace('`', "");
    let (row, message) = (plain(row), plain(message));
    let mut parts = row.split('…').map(str::trim);
    let Some(mut rest) = parts.next().and_then(|start| message.strip_prefix(start)) else {
        return false;
    };
    let mut open = false;
    for part in parts {
        open = part.is_empty();
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    open || rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    const README: &str = "# x\n\n## Errors\n\nThe code decides.\n\n\
        | code | kind | retried | message |\n|---|---|---|---|\n\
        | `A`, `B` | `access_denied` | no | allow `x` … policy |\n\n\
        | otherwise | kind | retried | message |\n|---|---|---|---|\n\
        | HTTP 503 | `unavailable` | yes | wait |\n\n## More\n\n| a | b |\n";

    fn table() -> FailureTable {
        FailureTable::of_readme(README)
    }

    #[test]
    fn a_table_that_is_true_passes() {
        let mut table = table();
        assert_eq!(table.codes(), [("`A`, `B`".to_owned(), vec!["A".to_owned(), "B".to_owned()])]);
        table.check("`A`, `B`", "A", "access_denied: allow x in the policy");
        table.check("HTTP 503", "503", "unavailable: wait");
        table.assert().unwrap();
    }

    #[test]
    fn another_kind_or_message_or_row_fails() {
        for printed in [
            "key_disabled: allow x in the policy",
            "access_denied: allow x in the policy, too",
            "access_denied: deny x in the policy",
            "allow x in the policy",
        ] {
            let mut table = table();
            table.check("HTTP 503", "503", "unavailable: wait");
            table.check("`A`, `B`", "A", printed);
            let fails = std::panic::catch_unwind(|| table.assert());
            assert!(fails.is_err(), "{printed}");
        }
        let mut table = table();
        table.check("HTTP 503", "503", "unavailable: wait");
        table.check("`A`, `B`", "A", "access_denied: allow x in the policy");
        table.check("HTTP 504", "504", "timeout: wait");
        assert!(std::panic::catch_unwind(|| table.assert()).is_err());
    }

    #[test]
    fn a_row_that_nothing_provokes_fails() {
        let mut table = table();
        table.check("HTTP 503", "503", "unavailable: wait");
        assert!(std::panic::catch_unwind(|| table.assert()).is_err());
    }

    #[test]
    fn a_row_that_cannot_be_run_here_is_reported_and_does_not_fail() {
        let mut table = table();
        table.check("HTTP 503", "503", "unavailable: wait");
        table.rest_not_run("no server");
        assert_eq!(table.not_run, ["`A`, `B`: no server"]);
        assert!(table.missing().is_empty());
    }

    #[test]
    #[should_panic(expected = "the columns after")]
    fn a_table_of_another_shape_fails() {
        FailureTable::of_readme(&README.replace("| message |", "| advice |"));
    }

    #[test]
    fn what_is_left_out_is_left_out_where_the_row_says_so() {
        for (row, message, expected) in [
            ("", "", true),
            ("a b", "a b", true),
            ("a", "a b", false),
            ("a …", "a b", true),
            ("… b", "a b", true),
            ("a … c", "a b c", true),
            ("a … c", "a b c d", false),
            ("a … c …", "a b c d", true),
            ("b …", "a b", false),
        ] {
            assert_eq!(shows(row, message), expected, "{row}: {message}");
        }
    }
}
