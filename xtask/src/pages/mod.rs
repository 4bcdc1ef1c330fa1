//! What readers of the pages rely on, as GitHub, crates.io and the book show them.

mod book;
#[cfg(test)]
mod diagrams;
mod links;
mod markdown;
mod wrapping;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};

use self::markdown::Page;
use crate::{process, report::Outcome};

/// The name of the check in reports.
pub(crate) const SUITE: &str = "pages";

/// The folder that the book is made from.
const BOOK: &str = "docs";
/// The book's table of contents. It is not a page.
const SUMMARY: &str = "docs/SUMMARY.md";

/// The pages by their paths from the root, with `/` between folders.
type Pages = BTreeMap<String, Page>;

/// Checks the links, anchors and images of every page, and the contents and the text of the book.
/// One count a page.
pub(crate) fn check() -> Outcome {
    match faults(&process::root()) {
        Ok((count, faults)) if faults.is_empty() => {
            Outcome { passed: count, ..Outcome::pass(SUITE) }
        }
        Ok((_, faults)) => {
            faults.iter().for_each(|fault| eprintln!("{fault}"));
            Outcome { failed: faults.len() as u64, ..Outcome::fail(SUITE, faults.join("; ")) }
        }
        Err(error) => Outcome::fail(SUITE, format!("{error:#}")),
    }
}

/// How many pages there are, and a line for each fault.
fn faults(root: &Path) -> Result<(u64, Vec<String>)> {
    let pages = pages(root)?;
    ensure!(!pages.is_empty(), "there is no page below {}", root.display());
    let mut faults = links::faults(&pages, |path| root.join(path).exists());
    let summary =
        fs::read_to_string(root.join(SUMMARY)).with_context(|| format!("cannot read {SUMMARY}"))?;
    faults.extend(book::faults(&Page::parse(&summary), &pages));
    for path in pages.keys().filter(|path| path.starts_with(BOOK)) {
        faults.extend(wrapping::faults(path, &fs::read_to_string(root.join(path))?));
    }
    Ok((pages.len() as u64, faults))
}

/// The pages of the root, of the crates, of the vectors of this project, and of the book.
fn pages(root: &Path) -> Result<Pages> {
    let mut paths = markdown_files(root)?;
    paths.extend(markdown_files(&root.join("test-vectors"))?);
    for entry in fs::read_dir(root.join("crates"))? {
        paths.extend(markdown_files(&entry?.path())?);
    }
    let mut folders = vec![root.join(BOOK)];
    while let Some(folder) = folders.pop() {
        paths.extend(markdown_files(&folder)?);
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            }
        }
    }
    let read = |path: PathBuf| {
        let name = path.strip_prefix(root)?.to_string_lossy().replace('\\', "/");
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {name}"))?;
        Ok((name, Page::parse(&text)))
    };
    let mut pages = paths.into_iter().map(read).collect::<Result<Pages>>()?;
    pages.remove(SUMMARY);
    Ok(pages)
}

/// The files of a folder that end in `.md`, if it is a folder.
fn markdown_files(folder: &Path) -> Result<Vec<PathBuf>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut paths = Vec::new();
    for entry in
        fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?
    {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "md") {
            paths.push(path);
        }
    }
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pages_of_this_repository_have_no_fault() {
        let (count, faults) = faults(&process::root()).unwrap();
        assert!(count > 30, "{count}");
        assert!(faults.is_empty(), "{faults:#?}");
    }

    #[test]
    fn a_page_is_found_wherever_it_may_be_and_held_to_each_rule() {
        let root = tempfile::tempdir().unwrap();
        for path in ["docs/deep/er", "crates/a", "test-vectors"] {
            fs::create_dir_all(root.path().join(path)).unwrap();
        }
        let pages_there = [
            "README.md",
            "crates/a/README.md",
            "docs/a.md",
            "docs/deep/er/b.md",
            "test-vectors/PROVENANCE.md",
        ];
        for path in pages_there.iter().chain(&[SUMMARY, "docs/a.svg"]) {
            fs::write(root.path().join(path), "# A\n").unwrap();
        }
        assert_eq!(pages(root.path()).unwrap().into_keys().collect::<Vec<_>>(), pages_there);
        let page = format!("# A\n\n[a](gone.md)\n\n{}\n", "word ".repeat(21));
        fs::write(root.path().join("docs/a.md"), page).unwrap();
        fs::write(root.path().join(SUMMARY), "[A](a.md)\n").unwrap();
        let (count, faults) = faults(root.path()).unwrap();
        assert_eq!(count, 5);
        assert_eq!(
            faults,
            [
                "docs/a.md:3: (gone.md): there is no docs/gone.md",
                "docs/SUMMARY.md: docs/deep/er/b.md is not listed, so the book does not have it",
                "docs/a.md:5: wrap the text at 100 columns",
            ],
            "each rule is asked"
        );
    }

    #[test]
    fn the_page_about_the_architecture_has_each_crate() {
        let root = process::root();
        let page = fs::read_to_string(root.join("docs/architecture.md")).unwrap();
        for entry in fs::read_dir(root.join("crates")).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let ending = name.strip_prefix("adcp-signing").unwrap_or(&name);
            let is_named = [format!("`crates/{name}`"), format!("`{ending}`")]
                .iter()
                .any(|shown| page.contains(shown));
            assert!(is_named, "docs/architecture.md has no row for crates/{name}");
        }
    }

    /// rustdoc hides lines that begin with `# `, and nobody else does: what is copied does not
    /// compile.
    #[test]
    fn programs_of_pages_are_whole() {
        let root = process::root();
        for path in pages(&root).unwrap().into_keys() {
            let mut is_rust = false;
            for line in fs::read_to_string(root.join(&path)).unwrap().lines() {
                match line.strip_prefix("```") {
                    Some(language) => is_rust = language.starts_with("rust"),
                    None => {
                        let is_hidden = is_rust && (line == "#" || line.starts_with("# "));
                        assert!(!is_hidden, "{path}: {line}");
                    }
                }
            }
        }
    }
}
