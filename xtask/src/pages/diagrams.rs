//! The rules of the diagrams and plots: what a page shows as an image can be read by everybody, in
//! light and in dark, and loads nothing from elsewhere. That their facts are true is tested next to
//! the code that they show.

use std::{collections::BTreeSet, fs, path::Path};

use roxmltree::{Document, Node};

use super::{BOOK, pages};
use crate::process;

const MAX_BYTES: usize = 32 * 1024;

/// Why this SVG may not be shown, or nothing.
fn fault(svg: &str) -> Option<String> {
    let document = match Document::parse(svg) {
        Ok(document) => document,
        Err(error) => return Some(format!("it is not well-formed XML: {error}")),
    };
    let root = document.root_element();
    let child = |name: &str| {
        let found = root.children().find(|node| node.has_tag_name((SVG, name)));
        found.and_then(|node| node.text()).is_some_and(|text| !text.trim().is_empty())
    };
    if !root.has_tag_name((SVG, "svg")) {
        return Some("it is not SVG".to_owned());
    }
    for name in ["title", "desc"] {
        if !child(name) {
            return Some(format!("it has no <{name}>"));
        }
    }
    if root.attribute("role") != Some("img") || root.attribute("viewBox").is_none() {
        return Some("it has no role=\"img\" or no viewBox".to_owned());
    }
    if !svg.contains("@media (prefers-color-scheme: dark)") {
        return Some("it has no colors for dark mode".to_owned());
    }
    if svg.len() > MAX_BYTES {
        return Some(format!("it has more than {MAX_BYTES} bytes"));
    }
    document.descendants().find_map(of_element)
}

const SVG: &str = "http://www.w3.org/2000/svg";

/// An element or attribute that runs code or loads something.
fn of_element(node: Node<'_, '_>) -> Option<String> {
    const ALLOWED: [&str; 9] =
        ["svg", "title", "desc", "style", "g", "path", "rect", "text", "tspan"];
    let name = node.tag_name().name();
    if node.is_element() && !ALLOWED.contains(&name) {
        return Some(format!("it has a <{name}>"));
    }
    let loads = |text: &str| {
        ["url(", "@import", "http:", "https:", "data:"].iter().any(|part| text.contains(part))
    };
    let attribute = node.attributes().find(|attribute| {
        attribute.name() == "href" || attribute.name().starts_with("on") || loads(attribute.value())
    });
    if let Some(attribute) = attribute {
        return Some(format!("it has the attribute {}", attribute.name()));
    }
    (name == "style" && node.text().is_some_and(loads))
        .then(|| "its style loads something".to_owned())
}

/// Every SVG file below a folder, by its path from the root.
fn svg_files(root: &Path, folder: &str, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(root.join(folder)).unwrap() {
        let entry = entry.unwrap();
        let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            svg_files(root, &path, found);
        } else if path.ends_with(".svg") {
            found.insert(path);
        }
    }
}

#[test]
fn each_diagram_is_fit_to_be_shown_and_a_page_shows_it() {
    let root = process::root();
    let mut files = BTreeSet::new();
    svg_files(&root, BOOK, &mut files);
    assert!(files.len() >= 5, "{files:?}");
    for path in &files {
        assert_eq!(fault(&fs::read_to_string(root.join(path)).unwrap()), None, "{path}");
    }
    let shown: BTreeSet<String> = pages(&root)
        .unwrap()
        .iter()
        .flat_map(|(from, page)| page.links.iter().map(move |link| (from, link)))
        .filter(|(_, link)| link.is_image)
        .filter_map(|(from, link)| super::links::resolved(from, &link.target).ok())
        .collect();
    let hidden: Vec<_> = files.difference(&shown).collect();
    assert!(hidden.is_empty(), "no page shows {hidden:?}");
}

#[test]
fn each_rule_of_diagrams_names_what_breaks_it() {
    const GOOD: &str = "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" viewBox=\"0 0 1 1\">\
        <title>t</title><desc>d</desc>\
        <style>@media (prefers-color-scheme: dark) { .a { fill: #fff } }</style>\
        <rect class=\"a\"/></svg>";
    assert_eq!(fault(GOOD), None);
    let long = " ".repeat(MAX_BYTES);
    for (part, instead, why) in [
        ("</svg>", "", "it is not well-formed XML"),
        ("http://www.w3.org/2000/svg", "urn:other", "it is not SVG"),
        ("<title>t</title>", "", "it has no <title>"),
        ("<desc>d</desc>", "<desc> </desc>", "it has no <desc>"),
        (" role=\"img\"", "", "it has no role"),
        (" viewBox=\"0 0 1 1\"", "", "it has no role=\"img\" or no viewBox"),
        ("prefers-color-scheme", "prefers-contrast", "it has no colors for dark mode"),
        ("<rect class=\"a\"/>", &long, "it has more than"),
        ("<rect class=\"a\"/>", "<script>a()</script>", "it has a <script>"),
        ("<rect class=\"a\"/>", "<image/>", "it has a <image>"),
        ("<rect ", "<rect onclick=\"a()\" ", "it has the attribute onclick"),
        ("<rect ", "<rect href=\"#a\" ", "it has the attribute href"),
        ("<rect ", "<rect fill=\"url(#a)\" ", "it has the attribute fill"),
        ("fill: #fff", "src: url(a.woff)", "its style loads something"),
    ] {
        assert!(GOOD.contains(part), "{part}");
        let found = fault(&GOOD.replace(part, instead)).unwrap_or_default();
        assert!(found.starts_with(why), "{why}: {found}");
    }
}
