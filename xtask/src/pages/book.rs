//! The rules of the book's contents: each page is listed once, and can be linked to.

use std::collections::BTreeMap;

use super::{BOOK, Pages, SUMMARY, markdown::Page};

/// A line for each page that SUMMARY.md lists more than once, does not list, or lists in vain.
pub(super) fn faults(summary: &Page, pages: &Pages) -> Vec<String> {
    let mut listed = BTreeMap::new();
    for link in &summary.links {
        *listed.entry(format!("{BOOK}/{}", link.target)).or_insert(0) += 1;
    }
    let mut faults = Vec::new();
    for (path, count) in &listed {
        if !pages.contains_key(path) {
            faults.push(format!("{SUMMARY}: there is no page {path}"));
        }
        if *count > 1 {
            faults.push(format!("{SUMMARY}: {path} is listed {count} times"));
        }
    }
    let of_book = |path: &&String| path.starts_with(&format!("{BOOK}/"));
    for path in pages.keys().filter(of_book).filter(|path| !listed.contains_key(*path)) {
        faults.push(format!("{SUMMARY}: {path} is not listed, so the book does not have it"));
    }
    for path in pages.keys().filter(of_book).filter(|path| path.ends_with("README.md")) {
        faults.push(format!("{path}: mdBook does not follow links to it; name it index.md"));
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_page_of_the_book_is_listed_once() {
        let pages = ["README.md", "docs/a.md", "docs/sub/b.md"];
        let pages: Pages =
            pages.map(|path| (path.to_owned(), Page::default())).into_iter().collect();
        let of = |summary| faults(&Page::parse(summary), &pages);
        assert_eq!(of("- [A](a.md)\n- [B](sub/b.md)\n"), Vec::<String>::new());
        assert_eq!(
            of("- [A](a.md)\n- [B](sub/b.md)\n- [A again](a.md)\n"),
            ["docs/SUMMARY.md: docs/a.md is listed 2 times"]
        );
        assert_eq!(
            of("- [A](a.md)\n"),
            ["docs/SUMMARY.md: docs/sub/b.md is not listed, so the book does not have it"]
        );
        assert_eq!(
            of("- [A](a.md)\n- [B](sub/b.md)\n- [C](c.md)\n"),
            ["docs/SUMMARY.md: there is no page docs/c.md"]
        );
        let readme = [("docs/README.md".to_owned(), Page::default())].into_iter().collect();
        assert_eq!(
            faults(&Page::parse("[Start](README.md)\n"), &readme),
            ["docs/README.md: mdBook does not follow links to it; name it index.md"]
        );
        assert_eq!(
            of("- [A](a.md)\n- [B](sub/b.md)\n- [Root](../README.md)\n").len(),
            1,
            "a page outside the book cannot be in it"
        );
    }
}
