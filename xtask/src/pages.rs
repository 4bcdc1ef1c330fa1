//! What readers of the pages rely on, as GitHub and crates.io show them.

use std::{fs, path::PathBuf};

use crate::process;

/// README.md, those of the crates, and the guides.
fn pages() -> Vec<(PathBuf, String)> {
    let root = process::root();
    let mut paths = vec![root.join("README.md")];
    for folder in ["docs", "docs/backends"] {
        let entries = fs::read_dir(root.join(folder)).unwrap();
        paths.extend(entries.map(|entry| entry.unwrap().path()));
    }
    let crates = fs::read_dir(root.join("crates")).unwrap();
    paths.extend(crates.map(|entry| entry.unwrap().path().join("README.md")));
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    paths
        .into_iter()
        .filter_map(|path| Some((path.clone(), fs::read_to_string(path).ok()?)))
        .collect()
}

/// rustdoc hides lines that begin with `# `, and nobody else does: what is copied does not compile.
#[test]
fn programs_of_pages_are_whole() {
    let pages = pages();
    assert!(pages.len() > 20, "{}", pages.len());
    for (path, page) in pages {
        let mut is_rust = false;
        for line in page.lines() {
            match line.strip_prefix("```") {
                Some(language) => is_rust = language.starts_with("rust"),
                None => {
                    let is_hidden = is_rust && (line == "#" || line.starts_with("# "));
                    assert!(!is_hidden, "{}: {line}", path.display());
                }
            }
        }
    }
}
