//! The joined reports as a table: rows are cases, columns are servers, and a cell has one mark for
//! each algorithm.

use std::{collections::BTreeMap, fmt::Write as _};

use super::{ALGORITHMS, Column, Mark, Matrix};

/// How wide the table may be.
pub(super) const WIDTH: usize = 120;
/// The width of a cell: a mark for each algorithm, with blanks between.
const CELL: usize = 2 * ALGORITHMS.len() - 1;

impl Matrix {
    /// The table and the reasons beneath it; nothing where no backend was tested.
    pub(crate) fn text(&self) -> String {
        if self.columns.is_empty() {
            return String::new();
        }
        let cases = self.cases();
        let first = cases.iter().map(|case| case.len()).max().unwrap_or(0);
        let named: Vec<Vec<String>> = self
            .columns
            .iter()
            .map(|column| vec![column.backend.clone(), column.server.clone()])
            .collect();
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
        let mut legend =
            vec![format!("{algorithms}; a blank: the server does not have the algorithm.")];
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

impl Column {
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
