//! `docs/rules.md` names files, functions and vectors that exist, has a row for each step, and
//! leaves no negative vector of this project out.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test fails by panicking"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use adcp_signing_core::verify::Step;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// One row of a table of rules.
struct Row {
    rule: String,
    code: Vec<String>,
    vectors: Vec<String>,
}

/// The page, read.
struct Page {
    rows: Vec<Row>,
    /// Folders below `test-vectors` by their short names.
    folders: BTreeMap<String, String>,
}

fn page() -> Page {
    let text = fs::read_to_string(root().join("docs/rules.md")).unwrap();
    let (mut rows, mut folders) = (Vec::new(), BTreeMap::new());
    for line in text.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<_> =
            line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect();
        match cells.as_slice() {
            [head, ..] if head == "rule" || head == "where" || head == "folder" => {}
            [name, folder] => {
                if let ([name], [folder]) = (&spans(name)[..], &spans(folder)[..]) {
                    folders.insert(name.clone(), folder.clone());
                }
            }
            [rule, specification, code, vectors] => {
                assert!(!specification.is_empty(), "{rule}: no specification");
                rows.push(Row { rule: rule.clone(), code: spans(code), vectors: spans(vectors) });
            }
            _ => panic!("neither two nor four cells: {line}"),
        }
    }
    Page { rows, folders }
}

/// The code spans of a cell.
fn spans(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Every file below `folder` with this extension.
fn files(folder: &Path, extension: &str) -> BTreeSet<PathBuf> {
    let (mut found, mut folders) = (BTreeSet::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                found.insert(path);
            }
        }
    }
    found
}

/// Whether `source` defines `name`: a function, a type, a constant or the variant of an enum.
fn defines(source: &str, name: &str) -> bool {
    let is_word = |character: char| character.is_alphanumeric() || character == '_';
    source.match_indices(name).any(|(at, _)| {
        let (before, after) = (&source[..at], &source[at + name.len()..]);
        let keyword = before.trim_end().rsplit(|character| !is_word(character)).next().unwrap();
        let is_item = before.ends_with(' ')
            && ["fn", "struct", "enum", "trait", "const", "static", "type"].contains(&keyword);
        let is_variant = name.starts_with(char::is_uppercase)
            && before.rsplit('\n').next().unwrap().trim().is_empty()
            && after.starts_with(['(', ',', ' ', ':']);
        (is_item || is_variant) && !after.starts_with(is_word)
    })
}

/// The files that a reference to vectors stands for.
fn vectors_of(page: &Page, reference: &str) -> Result<Vec<PathBuf>, String> {
    let vectors = root().join("test-vectors");
    let (place, case) = match reference.split_once('#') {
        Some((file, case)) => (file, Some(case)),
        None => (reference, None),
    };
    let place = match place.split_once('/').map(|(name, rest)| (page.folders.get(name), rest)) {
        Some((Some(folder), rest)) => format!("{folder}/{rest}"),
        _ => place.to_owned(),
    };
    let path = vectors.join(place);
    if path.extension().is_some_and(|extension| extension == "json") {
        let text = fs::read_to_string(&path).map_err(|_| format!("{reference}: no such file"))?;
        if case.is_some_and(|case| !text.contains(&format!("\"{case}\""))) {
            return Err(format!("{reference}: the file has no such case"));
        }
        return Ok(vec![path]);
    }
    let (folder, name) = (path.parent().unwrap(), path.file_name().unwrap().to_str().unwrap());
    if !folder.is_dir() {
        return Err(format!("{reference}: no such folder"));
    }
    let beside = files(folder, "json");
    let numbered = |prefix: &str| {
        let found: Vec<_> = beside
            .iter()
            .filter(|file| {
                let stem = file.file_stem().unwrap().to_str().unwrap();
                file.parent() == Some(folder)
                    && (stem == prefix || stem.starts_with(&format!("{prefix}-")))
            })
            .collect();
        match found[..] {
            [file] => Ok(file.clone()),
            _ => Err(format!("{reference}: {} files begin with {prefix}", found.len())),
        }
    };
    match name.split_once("..") {
        Some((first, last)) => {
            let [first, last]: [u32; 2] = [first, last].map(|number| number.parse().unwrap());
            assert!(first < last, "{reference}");
            (first..=last).map(|number| numbered(&format!("{number:03}"))).collect()
        }
        None => Ok(vec![numbered(name)?]),
    }
}

#[test]
fn every_file_and_definition_exists() {
    let core = root().join("crates/adcp-signing-core/src");
    let mut wrong = Vec::new();
    for row in page().rows {
        assert!(!row.code.is_empty(), "{}: no code", row.rule);
        let mut file = None;
        for span in row.code {
            if span.ends_with(".rs") {
                match fs::read_to_string(core.join(&span)) {
                    Ok(text) => file = Some((span, text)),
                    Err(_) => wrong.push(format!("{span}: no such file")),
                }
            } else {
                let (name, text) = file.as_ref().expect("a file comes before what is in it");
                if !defines(text, &span) {
                    wrong.push(format!("{name} does not define {span}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_vector_and_test_exists_and_every_rule_has_one() {
    let page = page();
    assert!(page.rows.len() >= 110, "only {} rules", page.rows.len());
    let core = root().join("crates/adcp-signing-core");
    let sources: Vec<_> =
        files(&core, "rs").iter().map(|file| fs::read_to_string(file).unwrap()).collect();
    let mut wrong = Vec::new();
    for row in &page.rows {
        assert!(!row.vectors.is_empty(), "{}: nothing pins it", row.rule);
        for reference in &row.vectors {
            match reference.strip_prefix("test:") {
                Some(test) if sources.iter().any(|source| defines(source, test)) => {}
                Some(test) => wrong.push(format!("{test}: no such test")),
                None => wrong.extend(vectors_of(&page, reference).err()),
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_step_and_every_file_of_a_step_has_a_row() {
    let rows = page().rows;
    for step in Step::ALL {
        let mark = format!("**{step}** ");
        assert!(rows.iter().any(|row| row.rule.starts_with(&mark)), "no row for step {step}");
    }
    let folder = root().join("crates/adcp-signing-core/src/verify");
    for file in files(&folder, "rs") {
        let name = file.file_name().unwrap().to_str().unwrap();
        if name.starts_with("step0") || name.starts_with("step1") {
            let path = format!("verify/{name}");
            assert!(rows.iter().any(|row| row.code.contains(&path)), "no row for {path}");
        }
    }
}

/// A vector that nobody can assign to a rule pins nothing that anyone asked for.
#[test]
fn every_own_negative_vector_belongs_to_a_rule() {
    let page = page();
    let named: BTreeSet<_> = page
        .rows
        .iter()
        .flat_map(|row| &row.vectors)
        .filter(|reference| !reference.starts_with("test:"))
        .flat_map(|reference| vectors_of(&page, reference).unwrap())
        .collect();
    let is_refused = |file: &PathBuf| {
        let kind = file.parent().unwrap().file_name().unwrap();
        kind == "negative" || kind == "sequence"
    };
    let left_out: Vec<_> = files(&root().join("test-vectors/own"), "json")
        .into_iter()
        .filter(|file| is_refused(file) && !named.contains(file))
        .collect();
    assert!(left_out.is_empty(), "no rule of docs/rules.md names {left_out:#?}");
}

#[test]
fn a_definition_is_told_from_a_mention() {
    let source = "/// See name.\npub(super) fn name(other: u8) {\n    call(name2)\n}\n\
                  enum E {\n    Variant(u8),\n}";
    for (name, defined) in [
        ("name", true),
        ("name2", false),
        ("call", false),
        ("Variant", true),
        ("other", false),
        ("nam", false),
    ] {
        assert_eq!(defines(source, name), defined, "{name}");
    }
}
