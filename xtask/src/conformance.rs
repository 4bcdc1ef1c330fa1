//! The conformance reports that the backends' suites left, joined: rows are cases, columns are servers, and a cell has one
//! mark for each algorithm.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::process;

/// How wide the table may be.
const WIDTH: usize = 120;
/// Names the folder that the conformance suite leaves its reports in.
pub(crate) const VARIABLE: &str = "ADCP_TEST_REPORTS";
/// The page that the table is left in.
const PAGE: &str = "conformance.md";
/// The algorithms by the names that reports give them, and the letters that stand for them in the table.
const ALGORITHMS: [(&str, char, &str); 3] =
    [("ed25519", 'E', "Ed25519"), ("ecdsa-p256-sha256", 'P', "P-256"), ("rsa-pss-sha512", 'R', "RSA-PSS")];

/// The joined reports of the backends' suites.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Matrix {
    columns: Vec<Column>,
}

/// One server that a backend was tested against.
#[derive(Debug, PartialEq, Eq)]
struct Column {
    backend: String,
    server: String,
    /// The cases of each algorithm, in the order of [`ALGORITHMS`]; the server may not have one.
    reports: [Option<Vec<Row>>; ALGORITHMS.len()],
}

/// A report as the conformance suite writes it.
#[derive(Deserialize)]
struct Report {
    name: String,
    cases: Vec<Row>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Row {
    case: String,
    result: Mark,
    reason: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
enum Mark {
    #[serde(rename = "failed")]
    Failed,
    #[serde(rename = "not applicable")]
    NotApplicable,
    #[serde(rename = "skipped")]
    Skipped,
    #[serde(rename = "passed")]
    Passed,
}

impl Mark {
    const fn sign(self) -> char {
        match self {
            Self::Passed => '✓',
            Self::Failed => '✗',
            Self::NotApplicable => '–',
            Self::Skipped => '○',
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::NotApplicable => "not applicable",
            Self::Skipped => "skipped",
        }
    }
}

/// The folder that a suite's tests leave their reports in, empty.
pub(crate) fn folder_for(suite: &str) -> Result<PathBuf> {
    let folder = process::target_dir().join("conformance").join(suite);
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    Ok(folder)
}

impl Matrix {
    /// Takes in what a suite left, which must be a report of each of its servers with a case that passed.
    pub(crate) fn add_suite(&mut self, folder: &Path, servers: usize) -> Result<()> {
        let mut paths = fs::read_dir(folder)?
            .map(|entry| Ok(entry?.path()))
            .collect::<Result<Vec<_>>>()
            .with_context(|| format!("cannot read {}", folder.display()))?;
        paths.sort();
        ensure!(!paths.is_empty(), "it ran, but left no conformance report");
        let mut suite = Self::default();
        for path in paths {
            let mut read = || -> Result<()> { suite.add(serde_json::from_slice(&fs::read(&path)?)?) };
            read().with_context(|| format!("the report {}", path.display()))?;
        }
        let found = suite.columns.len();
        let unmet =
            suite.columns.iter().find(|column| column.rows().all(|(_, row)| row.result != Mark::Passed));
        let unmet = unmet.map(|column| format!("no case passed on {}", column.name()));
        // Also of a suite that failed: the table shows where.
        self.columns.append(&mut suite.columns);
        ensure!(unmet.is_none(), unmet.unwrap_or_default());
        ensure!(found >= servers, "{servers} servers were up, but only {found} left a conformance report");
        Ok(())
    }

    /// Takes one report in.
    fn add(&mut self, report: Report) -> Result<()> {
        let parts: Vec<&str> = report.name.split(", ").collect();
        let [backend, server, algorithm] = parts[..] else {
            bail!("its name is not `BACKEND, SERVER, ALGORITHM`: {}", report.name)
        };
        let at = ALGORITHMS
            .iter()
            .position(|(name, ..)| *name == algorithm)
            .with_context(|| format!("the algorithm `{algorithm}` is not one of the table's"))?;
        ensure!(!report.cases.is_empty(), "it has no case");
        let column = match self.columns.iter().position(|column| column.is(backend, server)) {
            Some(position) => self.columns.get_mut(position),
            None => {
                let reports = [const { None }; ALGORITHMS.len()];
                self.columns.push(Column { backend: backend.to_owned(), server: server.to_owned(), reports });
                self.columns.last_mut()
            }
        };
        let place = column.and_then(|column| column.reports.get_mut(at)).context("no place in the table")?;
        ensure!(place.is_none(), "there are two of {}", report.name);
        *place = Some(report.cases);
        Ok(())
    }

    /// The table and the reasons beneath it; nothing where no backend was tested.
    pub(crate) fn text(&self) -> String {
        if self.columns.is_empty() {
            return String::new();
        }
        let cases = self.cases();
        let first = cases.iter().map(|case| case.len()).max().unwrap_or(0);
        let named: Vec<Vec<String>> =
            self.columns.iter().map(|column| vec![column.backend.clone(), column.server.clone()]).collect();
        let fits = first + widths(&named).iter().map(|width| width + 2).sum::<usize>() <= WIDTH;
        let headers = if fits {
            named
        } else {
            (1..=self.columns.len()).map(|number| vec![number.to_string()]).collect()
        };
        let widths = widths(&headers);

        let mut text = String::from("\nConformance\n\n");
        let mut line = |first_cell: &str, cells: Vec<String>| {
            let mut line = format!("{first_cell:first$}");
            for (cell, width) in cells.iter().zip(&widths) {
                let _ = write!(line, "  {cell:width$}");
            }
            text.push_str(line.trim_end());
            text.push('\n');
        };
        for row in 0..headers.first().map_or(0, Vec::len) {
            line("", headers.iter().filter_map(|column| column.get(row).cloned()).collect());
        }
        line("case", self.columns.iter().map(Column::letters).collect());
        for case in &cases {
            line(case, self.columns.iter().map(|column| column.cell(case)).collect());
        }
        text.push('\n');
        for paragraph in self.legend(!fits) {
            text.push_str(&wrapped(&paragraph));
        }
        text
    }

    /// The same as a page in Markdown.
    pub(crate) fn markdown(&self) -> String {
        let mut text = String::from("# Conformance\n\n| case |");
        for column in &self.columns {
            let _ = write!(text, " {} {} |", column.name(), column.letters());
        }
        text.push_str("\n|---|");
        text.push_str(&"---|".repeat(self.columns.len()));
        for case in self.cases() {
            let _ = write!(text, "\n| {case} |");
            for column in &self.columns {
                let _ = write!(text, " {} |", column.cell(case));
            }
        }
        text.push_str("\n\n");
        for paragraph in self.legend(false) {
            let _ = writeln!(text, "- {paragraph}");
        }
        text
    }

    /// Leaves the page in the build's folder, where there is something to leave.
    pub(crate) fn leave(&self) -> Result<()> {
        if self.columns.is_empty() {
            return Ok(());
        }
        let path = process::target_dir().join(PAGE);
        fs::write(&path, self.markdown()).with_context(|| format!("cannot write {}", path.display()))?;
        eprintln!("the conformance table is in {}", path.display());
        Ok(())
    }

    /// The same for other programs: an object for each backend, server and algorithm.
    pub(crate) fn json(&self) -> Value {
        let reports = self.columns.iter().flat_map(|column| {
            column.reports.iter().zip(ALGORITHMS).filter_map(move |(rows, (algorithm, ..))| {
                let cases = rows.as_ref()?.iter().map(|Row { case, result, reason }| {
                    json!({"case": case, "result": result.word(), "reason": reason})
                });
                Some(json!({
                    "backend": column.backend,
                    "server": column.server,
                    "algorithm": algorithm,
                    "cases": cases.collect::<Vec<_>>(),
                }))
            })
        });
        reports.collect()
    }

    /// Every case, in the order in which the suite ran them.
    fn cases(&self) -> Vec<&str> {
        let mut cases: Vec<&str> = Vec::new();
        for (_, row) in self.columns.iter().flat_map(Column::rows) {
            if !cases.contains(&row.case.as_str()) {
                cases.push(&row.case);
            }
        }
        cases
    }

    /// What the letters and signs mean, and the reason of every case that did not pass.
    fn legend(&self, numbered: bool) -> Vec<String> {
        let algorithms = ALGORITHMS.map(|(_, letter, name)| format!("{letter} {name}")).join(", ");
        let mut legend = vec![format!("{algorithms}; a blank: the server does not have the algorithm.")];
        if numbered {
            let columns = self.columns.iter().enumerate();
            let columns: Vec<String> =
                columns.map(|(at, column)| format!("{} {}", at + 1, column.name())).collect();
            legend.push(format!("{}.", columns.join(", ")));
        }
        // Who has a reason for a case, then which cases have that reason with the same ones.
        let mut places: BTreeMap<(Mark, &str, &str), Vec<String>> = BTreeMap::new();
        for column in &self.columns {
            for (letter, row) in column.rows().filter(|(_, row)| row.result != Mark::Passed) {
                let reason = row.reason.as_deref().unwrap_or("no reason was given");
                let at = places.entry((row.result, reason, &row.case)).or_default();
                let name = column.name();
                match at.last_mut().filter(|last| last.starts_with(&format!("{name} "))) {
                    Some(last) => last.push(letter),
                    None => at.push(format!("{name} {letter}")),
                }
            }
        }
        let mut cases: BTreeMap<(Mark, &str, Vec<String>), Vec<&str>> = BTreeMap::new();
        for ((mark, reason, case), at) in places {
            cases.entry((mark, reason, at)).or_default().push(case);
        }
        legend.extend(cases.into_iter().map(|((mark, reason, at), cases)| {
            let reason = reason.split_whitespace().collect::<Vec<_>>().join(" ");
            format!("{} {} ({}): {reason}", mark.sign(), cases.join(", "), at.join(", "))
        }));
        legend
    }
}

/// The width of a cell: a mark for each algorithm, with blanks between.
const CELL: usize = 2 * ALGORITHMS.len() - 1;

impl Column {
    fn is(&self, backend: &str, server: &str) -> bool {
        (self.backend.as_str(), self.server.as_str()) == (backend, server)
    }

    fn name(&self) -> String {
        format!("{}/{}", self.backend, self.server)
    }

    /// The letters of the algorithms that the server has, in their places.
    fn letters(&self) -> String {
        spaced(self.reports.iter().zip(ALGORITHMS).map(|(rows, (_, letter, _))| match rows {
            Some(_) => letter,
            None => ' ',
        }))
    }

    fn cell(&self, case: &str) -> String {
        spaced(self.reports.iter().map(|rows| {
            let row = rows.iter().flatten().find(|row| row.case == case);
            row.map_or(' ', |row| row.result.sign())
        }))
    }

    /// The rows of every algorithm, with its letter.
    fn rows(&self) -> impl Iterator<Item = (char, &Row)> {
        let algorithms = self.reports.iter().zip(ALGORITHMS);
        algorithms.flat_map(|(rows, (_, letter, _))| rows.iter().flatten().map(move |row| (letter, row)))
    }
}

/// How wide the columns under these headers are.
fn widths(headers: &[Vec<String>]) -> Vec<usize> {
    let lens = |column: &Vec<String>| column.iter().map(|header| header.chars().count()).max();
    headers.iter().map(|column| lens(column).unwrap_or(0).max(CELL)).collect()
}

fn spaced(signs: impl Iterator<Item = char>) -> String {
    signs.map(String::from).collect::<Vec<_>>().join(" ")
}

/// A paragraph in lines of at most [`WIDTH`], those after the first indented.
fn wrapped(paragraph: &str) -> String {
    let mut text = String::new();
    let mut room = 0;
    for word in paragraph.split(' ') {
        let len = word.chars().count();
        if text.is_empty() {
            room = WIDTH.saturating_sub(len);
        } else if len < room {
            text.push(' ');
            room -= len + 1;
        } else {
            text.push_str("\n  ");
            room = WIDTH.saturating_sub(len + 2);
        }
        text.push_str(word);
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(name: &str, cases: &[(&str, &str, Option<&str>)]) -> Value {
        let cases: Vec<Value> = cases
            .iter()
            .map(|(case, result, reason)| json!({"case": case, "result": result, "reason": reason}))
            .collect();
        json!({"name": name, "cases": cases})
    }

    fn left(reports: &[Value]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (at, report) in reports.iter().enumerate() {
            fs::write(folder.path().join(format!("{at}.json")), report.to_string()).unwrap();
        }
        folder
    }

    fn joined(reports: &[Value]) -> Matrix {
        let mut matrix = Matrix::default();
        matrix.add_suite(left(reports).path(), 1).unwrap();
        matrix
    }

    fn two_backends() -> Matrix {
        let none = Some("one key\nversion");
        joined(&[
            report("a-kms, Emu, ed25519", &[("signs", "passed", None), ("rotates", "not applicable", none)]),
            report(
                "a-kms, Emu, rsa-pss-sha512",
                &[("signs", "passed", None), ("rotates", "not applicable", none)],
            ),
            report(
                "b, Real, ecdsa-p256-sha256",
                &[("signs", "failed", Some("took 9 s")), ("rotates", "passed", None)],
            ),
        ])
    }

    #[test]
    fn a_cell_has_a_mark_for_each_algorithm_and_every_reason_stands_beneath() {
        let expected = "\nConformance\n\n\
                        \x20        a-kms  b\n\
                        \x20        Emu    Real\n\
                        case     E   R    P\n\
                        signs    ✓   ✓    ✗\n\
                        rotates  –   –    ✓\n\
                        \n\
                        E Ed25519, P P-256, R RSA-PSS; a blank: the server does not have the algorithm.\n\
                        ✗ signs (b/Real P): took 9 s\n\
                        – rotates (a-kms/Emu ER): one key version\n";
        assert_eq!(two_backends().text(), expected);
        assert_eq!(Matrix::default().text(), "");
    }

    #[test]
    fn a_reason_that_cases_share_stands_once() {
        let why = Some("no versions");
        let matrix = joined(&[report(
            "b, S, ed25519",
            &[("x", "passed", None), ("y", "not applicable", why), ("z", "not applicable", why)],
        )]);
        assert!(matrix.text().contains("\n– y, z (b/S E): no versions\n"), "{}", matrix.text());
    }

    #[test]
    fn a_table_that_is_too_wide_numbers_its_columns_and_every_line_fits() {
        let cases = [("a-case-with-a-name-of-thirty-ch", "not applicable", Some("a reason ".repeat(30)))];
        let cases: Vec<_> = cases.iter().map(|(case, mark, why)| (*case, *mark, why.as_deref())).collect();
        let reports: Vec<Value> = (0..9)
            .map(|at| {
                let cases = [&cases[..], &[("signs", "passed", None)]].concat();
                report(&format!("a-long-backend-name, server-{at}, ed25519"), &cases)
            })
            .collect();
        let text = joined(&reports).text();
        assert!(text.contains("1 a-long-backend-name/server-0, 2 a-long-backend-name/server-1"), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
    }

    #[test]
    fn the_page_and_the_object_say_the_same() {
        let page = two_backends().markdown();
        assert!(page.contains("\n| rotates | –   – |   ✓   |\n"), "{page}");
        assert!(page.contains("\n- ✗ signs (b/Real P): took 9 s\n"), "{page}");
        let object = two_backends().json();
        assert_eq!(object.as_array().unwrap().len(), 3);
        assert_eq!(object[1]["algorithm"], "rsa-pss-sha512");
        assert_eq!(object[2]["cases"][0], json!({"case": "signs", "result": "failed", "reason": "took 9 s"}));
    }

    #[test]
    fn a_suite_that_left_less_than_it_ran_is_refused_with_the_reason() {
        let passed = [("signs", "passed", None)];
        let skipped = [("signs", "skipped", Some("X is not set"))];
        for (reports, servers, says) in [
            (vec![], 1, "left no conformance report"),
            (vec![report("b, S, ed25519", &passed)], 2, "2 servers were up, but only 1"),
            (vec![report("b, S, ed25519", &skipped)], 1, "no case passed on b/S"),
            (vec![report("b, S, ed25519", &[])], 1, "it has no case"),
            (vec![report("b, ed25519", &passed)], 1, "not `BACKEND, SERVER, ALGORITHM`"),
            (vec![report("b, S, ed448", &passed)], 1, "`ed448` is not one"),
            (vec![report("b, S, ed25519", &passed); 2], 1, "there are two of"),
            (vec![report("b, S, ed25519", &[("signs", "fine", None)])], 1, "unknown variant"),
        ] {
            let error = Matrix::default().add_suite(left(&reports).path(), servers).unwrap_err();
            assert!(format!("{error:#}").contains(says), "{error:#}");
        }
    }
}
