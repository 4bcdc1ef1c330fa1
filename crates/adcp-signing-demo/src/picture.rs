//! The report as a picture of a terminal: an SVG that reads in light and in dark, and aloud.

use std::fmt::Write as _;

use crate::report::{Line, Report};

const LINE_HEIGHT: usize = 20;
const FONT_SIZE: usize = 14;
const MARGIN: usize = 24;
/// The width of the picture, and where the columns of a check begin: its mark, its name, what was
/// done, what came of it. Placed each by itself, since no font is sure to be there.
const WIDTH: usize = 880;
const COLUMNS: [usize; 4] = [MARGIN + 12, MARGIN + 34, MARGIN + 126, MARGIN + 418];

/// What the picture shows, for those who do not see it.
const TITLE: &str = "cargo xtask demo";

/// The picture. The same report gives the same bytes.
pub fn svg(report: &Report) -> String {
    let mut body = String::new();
    let mut y = MARGIN + FONT_SIZE;
    text(&mut body, MARGIN, y, "p", "$ cargo xtask demo");
    for line in report.lines() {
        y += LINE_HEIGHT;
        match line {
            Line::Heading(heading) => {
                y += LINE_HEIGHT / 2;
                text(&mut body, MARGIN, y, "h", heading);
            }
            Line::Check(check) => {
                let [mark, name, did, came] = check.columns();
                let [at_mark, at_name, at_did, at_came] = COLUMNS;
                text(&mut body, at_mark, y, if check.passed() { "g" } else { "b" }, &mark);
                text(&mut body, at_name, y, "t", &name);
                text(&mut body, at_did, y, "d", &did);
                let at_came = if did.is_empty() { at_did } else { at_came };
                text(&mut body, at_came, y, "t", &came);
            }
        }
    }
    y += LINE_HEIGHT + LINE_HEIGHT / 2;
    text(&mut body, MARGIN, y, if report.passed() { "g" } else { "b" }, &report.summary());
    let height = y + MARGIN;
    let description = escaped(&spoken(report));
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         width=\"{WIDTH}\" height=\"{height}\" role=\"img\" aria-labelledby=\"title\" \
         aria-describedby=\"description\">\n\
         <title id=\"title\">{TITLE}</title>\n\
         <desc id=\"description\">{description}</desc>\n\
         <style>\n\
         text {{ font: {FONT_SIZE}px ui-monospace, SFMono-Regular, Menlo, Consolas, \
         'DejaVu Sans Mono', monospace; white-space: pre }}\n\
         .s {{ fill: #f6f8fa; stroke: #d0d7de }} .t {{ fill: #1f2328 }} .d, .p {{ fill: #59636e }}\n\
         .h {{ fill: #1f2328; font-weight: bold }} .g {{ fill: #1a7f37; font-weight: bold }}\n\
         .b {{ fill: #d1242f; font-weight: bold }}\n\
         @media (prefers-color-scheme: dark) {{\n\
         .s {{ fill: #151b23; stroke: #3d444d }} .t, .h {{ fill: #f0f6fc }}\n\
         .d, .p {{ fill: #9198a1 }} .g {{ fill: #3fb950 }} .b {{ fill: #f85149 }}\n\
         }}\n\
         </style>\n\
         <rect class=\"s\" x=\"0.5\" y=\"0.5\" width=\"{}\" height=\"{}\" rx=\"8\"/>\n\
         {body}</svg>\n",
        WIDTH - 1,
        height - 1,
    )
}

/// The lines of the report as sentences.
fn spoken(report: &Report) -> String {
    let mut sentences = String::new();
    for line in report.lines() {
        let sentence = match line {
            Line::Heading(heading) => format!("{heading}. "),
            Line::Check(check) => {
                let [_, name, did, came] = check.columns();
                let did = if did.is_empty() { did } else { format!(" {did}") };
                format!("{name}{did}: {came}. ")
            }
        };
        sentences += &sentence;
    }
    sentences + &report.summary()
}

fn text(body: &mut String, x: usize, y: usize, class: &str, text: &str) {
    if !text.is_empty() {
        let text = escaped(text);
        let _ = writeln!(body, "<text class=\"{class}\" x=\"{x}\" y=\"{y}\">{text}</text>");
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_check_is_red_and_no_text_is_markup() {
        let mut report = Report::new(|_| {});
        report.chapter("one", "One & two");
        report.check("replay", "again", "401 <x>", "200");
        let picture = svg(&report);
        assert!(picture.contains(">One &amp; two</text>"), "{picture}");
        let line = ">200, and must be: 401 &lt;x&gt;</text>";
        assert!(picture.contains(line) && picture.contains("class=\"b\""), "{picture}");
        assert!(!picture.contains("class=\"g\""), "{picture}");
        let spoken = "One &amp; two. replay again: 200, and must be: 401 &lt;x&gt;. 1 of 1 checks";
        assert!(picture.contains(spoken), "{picture}");
    }
}
