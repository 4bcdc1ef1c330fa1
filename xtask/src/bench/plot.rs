//! Plots of a table of benchmarks: bars against a line, as SVG. A table is read as it is printed, so
//! a plot cannot show another number than its table.

use std::{fmt::Write as _, fs, path::Path};

use anyhow::{Context as _, Result, bail};
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use crate::process;

/// The page with the tables, and the folder of its plots.
const PAGE: &str = "docs/performance.md";
const FOLDER: &str = "docs/plots";

/// The plots of the page: the file, the heading above the table, and what is shown of it.
const PLOTS: &[(&str, &str, Shown)] = &[
    ("signing-targets", "Signing and verifying", Shown::Targets),
    ("signing-ratios", "Signing and verifying", Shown::Ratios),
    ("server-targets", "A server that verifies", Shown::Targets),
    ("key-services-ratios", "Key services", Shown::Ratios),
];

/// What a plot shows of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    /// Each result with a target, as a share of the target. Needs the columns `result` and
    /// `target`.
    Targets,
    /// Each cell that is a ratio, such as `0.95x`.
    Ratios,
}

/// Draws the plots of docs/performance.md from its tables. True unless a file cannot be written.
pub(super) fn draw_page() -> Result<bool> {
    let folder = process::root().join(FOLDER);
    fs::create_dir_all(&folder)?;
    for (name, svg) in of_page(&fs::read_to_string(process::root().join(PAGE))?)? {
        let path = folder.join(format!("{name}.svg"));
        fs::write(&path, svg).with_context(|| format!("cannot write {}", path.display()))?;
        println!("{FOLDER}/{name}.svg");
    }
    Ok(true)
}

/// Draws what a run has measured, and says where.
pub(super) fn draw_run(name: &str, table: &str) -> Result<()> {
    let folder = process::target_dir().join("bench");
    for path in draw_into(&folder, name, table)? {
        eprintln!("plot: {path}");
    }
    Ok(())
}

fn draw_into(folder: &Path, name: &str, table: &str) -> Result<Vec<String>> {
    let table = Table::first(table).context("there is no table to draw")?;
    fs::create_dir_all(folder)?;
    let mut drawn = Vec::new();
    for (shown, ending) in [(Shown::Targets, "targets"), (Shown::Ratios, "ratios")] {
        if let Some(svg) = svg(&table, name, shown) {
            let path = folder.join(format!("{name}-{ending}.svg"));
            fs::write(&path, svg).with_context(|| format!("cannot write {}", path.display()))?;
            drawn.push(path.display().to_string());
        }
    }
    Ok(drawn)
}

/// The plots of a page by their names.
fn of_page(page: &str) -> Result<Vec<(&'static str, String)>> {
    let plot = |(name, heading, shown): &(&'static str, &str, Shown)| {
        let Some(table) = Table::below(page, heading) else {
            bail!("{PAGE} has no table below the heading `{heading}`");
        };
        let svg = svg(&table, heading, *shown)
            .with_context(|| format!("the table below `{heading}` has nothing of {shown:?}"))?;
        Ok((*name, svg))
    };
    PLOTS.iter().map(plot).collect()
}

/// A table of a page of Markdown, as text.
#[derive(Debug, PartialEq, Eq)]
struct Table {
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    fn first(page: &str) -> Option<Self> {
        Self::find(page, None)
    }

    /// The first table after a heading.
    fn below(page: &str, heading: &str) -> Option<Self> {
        Self::find(page, Some(heading))
    }

    fn find(page: &str, heading: Option<&str>) -> Option<Self> {
        let mut is_below = heading.is_none();
        let (mut text, mut row, mut rows) = (String::new(), Vec::new(), Vec::new());
        for event in Parser::new_ext(page, Options::ENABLE_TABLES) {
            match event {
                Event::Start(Tag::Heading { .. } | Tag::TableCell) => text.clear(),
                Event::Text(words) | Event::Code(words) => text.push_str(&words),
                Event::End(TagEnd::Heading(_)) => {
                    is_below = heading.is_none_or(|heading| heading == text);
                }
                Event::End(TagEnd::TableCell) => row.push(text.trim().to_owned()),
                Event::End(TagEnd::TableHead | TagEnd::TableRow) => {
                    rows.push(std::mem::take(&mut row));
                }
                Event::End(TagEnd::Table) if is_below => {
                    let mut rows = rows.into_iter();
                    return Some(Self { columns: rows.next()?, rows: rows.collect() });
                }
                Event::End(TagEnd::Table) => rows.clear(),
                _ => {}
            }
        }
        None
    }

    fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column == name)
    }
}

/// A bar of a plot. The line that it is compared with is at 1.
#[derive(Debug, PartialEq)]
struct Bar {
    label: String,
    value: f64,
    /// What stands next to it.
    shown: String,
    is_missed: bool,
}

fn bars(table: &Table, shown: Shown) -> Vec<Bar> {
    match shown {
        Shown::Targets => targets(table).unwrap_or_default(),
        Shown::Ratios => ratios(table),
    }
}

fn targets(table: &Table) -> Option<Vec<Bar>> {
    let (result, target) = (table.column("result")?, table.column("target")?);
    let bar = |row: &Vec<String>| {
        let (label, result, target) = (row.first()?, row.get(result)?, row.get(target)?);
        let (is_least, limit) = match target.strip_prefix('>') {
            Some(limit) => (true, limit),
            None => (false, target.strip_prefix('<')?),
        };
        let limit = limit.trim_start_matches('=').trim();
        let (reached, allowed) = (quantity(result)?, quantity(limit)?);
        let value = if is_least { allowed / reached } else { reached / allowed };
        let is_missed = value > 1.0;
        let missed = if is_missed { ": missed" } else { "" };
        let label = label.clone();
        Some(Bar { label, value, shown: format!("{result} ({target}){missed}"), is_missed })
    };
    Some(table.rows.iter().filter_map(bar).filter(|bar| bar.value.is_finite()).collect())
}

fn ratios(table: &Table) -> Vec<Bar> {
    let ratio = |cell: &str| cell.strip_suffix('x')?.parse().ok().filter(|x: &f64| x.is_finite());
    let of_column = |index: &usize| {
        let mut cells = table.rows.iter().filter_map(|row| row.get(*index));
        cells.any(|cell| ratio(cell).is_some())
    };
    let columns: Vec<usize> = (1..table.columns.len()).filter(of_column).collect();
    let bar = |row: &Vec<String>, index: &usize| {
        let (label, cell) = (row.first()?, row.get(*index)?);
        let label = match table.columns.get(*index) {
            Some(column) if columns.len() > 1 => format!("{label}: {column}"),
            _ => label.clone(),
        };
        Some(Bar { label, value: ratio(cell)?, shown: cell.clone(), is_missed: false })
    };
    let row = |row| columns.iter().filter_map(move |index| bar(row, index));
    table.rows.iter().flat_map(row).collect()
}

/// A time in nanoseconds, or a ratio.
fn quantity(cell: &str) -> Option<f64> {
    if let Some(ratio) = cell.strip_suffix('x') {
        return ratio.parse().ok();
    }
    let (number, unit) = cell.split_once(' ')?;
    let nanoseconds = match unit {
        "ns" => 1.0,
        "µs" => 1e3,
        "ms" => 1e6,
        "s" => 1e9,
        _ => return None,
    };
    Some(number.parse::<f64>().ok()? * nanoseconds)
}

const STYLE: &str = r#"  <style>
    svg { font-family: system-ui, -apple-system, "Segoe UI", sans-serif; font-size: 13px; }
    .page { fill: #ffffff; }
    .bar { fill: #54a3e0; }
    .missed { fill: #d4a72c; }
    .line { stroke: #57606a; stroke-width: 1.5; stroke-dasharray: 4 3; }
    text { fill: #1f2328; }
    .head { font-weight: 600; font-size: 15px; }
    .note { fill: #57606a; font-size: 12px; }
    @media (prefers-color-scheme: dark) {
      .page { fill: #0d1117; }
      .bar { fill: #1f6feb; }
      .missed { fill: #9e6a03; }
      .line { stroke: #a0a9b3; }
      text { fill: #e6edf3; }
      .note { fill: #a0a9b3; }
    }
  </style>
"#;

const BARS_WIDTH: f64 = 320.0;
/// More than any font takes for an average character of a label.
const CHARACTER: f64 = 8.0;
const TOP: f64 = 72.0;
const PITCH: f64 = 24.0;

/// The plot, or nothing where the table has nothing to show.
fn svg(table: &Table, title: &str, shown: Shown) -> Option<String> {
    let bars = bars(table, shown);
    let longest = bars.iter().map(|bar| bar.value).reduce(f64::max)?.max(1.0);
    let (line, note) = match shown {
        Shown::Targets => ("target", "A bar that ends before the line has met its target."),
        Shown::Ratios => ("1.00x", "At the line, both sides are equal."),
    };
    let title = format!(
        "{title}: {}",
        match shown {
            Shown::Targets => "results as shares of their targets",
            Shown::Ratios => "ratios",
        }
    );
    let says: Vec<String> =
        bars.iter().map(|bar| format!("{}: {}", bar.label, bar.shown)).collect();
    let width_of = |text: &String| CHARACTER * text.chars().count() as f64;
    let widest = |texts: Vec<&String>| texts.into_iter().map(width_of).fold(0.0, f64::max);
    let left = 26.0 + widest(bars.iter().map(|bar| &bar.label).collect());
    let right = 24.0 + widest(bars.iter().map(|bar| &bar.shown).collect());
    let width = (left + BARS_WIDTH + right).max(CHARACTER * title.len() as f64 + 40.0);
    let at = |value: f64| left + BARS_WIDTH * value / longest;
    let bottom = TOP + PITCH * bars.len() as f64;
    let mut svg = String::new();
    // Writing to a String does not fail.
    let _ = write!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" role=\"img\"\n    aria-labelledby=\"title desc\">\n  \
         <title id=\"title\">{}</title>\n  <desc id=\"desc\">{}</desc>\n{STYLE}  \
         <rect class=\"page\" width=\"{width}\" height=\"{height}\"/>\n  \
         <text class=\"head\" x=\"16\" y=\"28\">{}</text>\n  \
         <text class=\"note\" x=\"16\" y=\"48\">{note}</text>\n  \
         <text class=\"note\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{line}</text>\n",
        escaped(&title),
        escaped(&says.join("\n    ")),
        escaped(&title),
        at(1.0),
        TOP - 6.0,
        height = bottom + 16.0,
    );
    for (bar, index) in bars.iter().zip(0_u16..) {
        let top = TOP + PITCH * f64::from(index);
        let class = if bar.is_missed { "missed" } else { "bar" };
        let _ = writeln!(
            svg,
            "  <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\n  \
             <rect class=\"{class}\" x=\"{left:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"16\"/>\n  \
             <text x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            left - 10.0,
            top + 16.0,
            escaped(&bar.label),
            top + 4.0,
            at(bar.value) - left,
            at(bar.value.max(1.0)) + 8.0,
            top + 16.0,
            escaped(&bar.shown),
        );
    }
    let _ = writeln!(
        svg,
        "  <path class=\"line\" d=\"M{x:.1} {TOP:.1}L{x:.1} {bottom:.1}\"/>\n</svg>",
        x = at(1.0)
    );
    Some(svg)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "# A\n\n| what | result |\n|---|--:|\n| other | 1 ns |\n\n## B\n\ntext\n\n\
        | what | measured | result | target | met |\n|---|--:|--:|--:|---|\n\
        | sign | 2.00 µs | 2.00 µs | <= 2.50 µs | yes |\n\
        | slow | 600 ns | 600 ns | < 0.30 µs | no |\n\
        | sign : primitive | 3.00 µs | 1.50x | - | - |\n\
        | in flight : bare | 10/s | 0.80x | >= 0.95x | no |\n\
        | free | 9 ns | 9 ns | - | - |\n\
        | calls | 1 | 1 | 1 | yes |\n\
        | not measured | - | - | <= 2.50 µs | - |\n";

    fn bar(label: &str, value: f64, shown: &str, is_missed: bool) -> Bar {
        Bar { label: label.to_owned(), value, shown: shown.to_owned(), is_missed }
    }

    #[test]
    fn a_result_is_drawn_as_the_share_of_its_target_and_a_missed_one_passes_the_line() {
        let table = Table::below(TABLE, "B").unwrap();
        assert_eq!(
            bars(&table, Shown::Targets),
            [
                bar("sign", 0.8, "2.00 µs (<= 2.50 µs)", false),
                bar("slow", 2.0, "600 ns (< 0.30 µs): missed", true),
                bar("in flight : bare", 0.95 / 0.8, "0.80x (>= 0.95x): missed", true),
            ]
        );
        assert_eq!(bars(&Table::first(TABLE).unwrap(), Shown::Targets), []);
    }

    #[test]
    fn ratios_are_drawn_and_times_are_not_and_each_column_has_its_name_where_there_are_several() {
        let table = Table::below(TABLE, "B").unwrap();
        assert_eq!(
            bars(&table, Shown::Ratios),
            [
                bar("sign : primitive", 1.5, "1.50x", false),
                bar("in flight : bare", 0.8, "0.80x", false),
            ]
        );
        let two = Table::first("| a | b | c | d |\n|---|---|---|---|\n| e | 1.00x | 2 | 0.50x |\n");
        assert_eq!(
            bars(&two.unwrap(), Shown::Ratios),
            [bar("e: b", 1.0, "1.00x", false), bar("e: d", 0.5, "0.50x", false)]
        );
    }

    #[test]
    fn a_table_is_found_by_its_heading_and_one_with_nothing_to_show_has_no_plot() {
        assert_eq!(Table::first(TABLE).unwrap().rows, [["other", "1 ns"]]);
        assert_eq!(Table::below(TABLE, "A"), Table::first(TABLE));
        assert_eq!(Table::below(TABLE, "C"), None);
        assert_eq!(svg(&Table::first(TABLE).unwrap(), "A", Shown::Ratios), None);
        assert!(of_page(TABLE).is_err());
    }

    #[test]
    fn what_the_texts_of_a_plot_say_is_escaped() {
        let table = Table::first("| a | b |\n|---|---|\n| \\<b\\> & c | 1.00x |\n").unwrap();
        let svg = svg(&table, "t", Shown::Ratios).unwrap();
        assert!(svg.contains(">&lt;b&gt; &amp; c</text>"), "{svg}");
    }

    #[test]
    fn a_run_leaves_a_plot_of_each_kind_that_its_table_has() {
        let folder = tempfile::tempdir().unwrap();
        let table = TABLE.split_once("text\n\n").unwrap().1;
        assert_eq!(draw_into(folder.path(), "run", table).unwrap().len(), 2);
        assert!(folder.path().join("run-targets.svg").exists());
        assert!(draw_into(folder.path(), "run", "no table").is_err());
    }

    #[test]
    fn the_plots_of_the_page_are_those_of_its_tables() {
        let read = |path: &str| fs::read_to_string(process::root().join(path)).unwrap();
        let page = read(PAGE);
        for (name, svg) in of_page(&page).unwrap() {
            let path = format!("{FOLDER}/{name}.svg");
            assert!(
                read(&path) == svg,
                "{path} is not of this table: run `cargo xtask bench plots`"
            );
            assert!(page.contains(&format!("](plots/{name}.svg)")), "{PAGE} does not show {path}");
        }
        let files = fs::read_dir(process::root().join(FOLDER)).unwrap().count();
        assert_eq!(files, PLOTS.len(), "{FOLDER} has a plot that nobody draws");
    }
}
