//! The rules of links and images. Nothing is fetched.

use super::{
    BOOK, Pages,
    markdown::{Link, Page},
};

/// Where a reader of the book finds the files of this repository that are not in the book.
const REPOSITORY: &str = "https://github.com/adcp-signing/adcp-signing/";

/// A line for each fault. `exists` says whether there is a file or folder of this path from the
/// root.
pub(super) fn faults(pages: &Pages, exists: impl Fn(&str) -> bool) -> Vec<String> {
    let mut faults = Vec::new();
    for (path, page) in pages {
        for link in &page.links {
            if let Err(why) = check(path, link, pages, &exists) {
                faults.push(format!("{path}:{}: ({}): {why}", link.line, link.target));
            }
        }
        for (line, name) in &page.undefined {
            faults.push(format!("{path}:{line}: [{name}] is not defined on this page"));
        }
        for (line, html) in &page.html {
            faults.push(format!("{path}:{line}: {html}: write links and anchors in Markdown"));
        }
    }
    faults
}

fn check(
    from: &str,
    link: &Link,
    pages: &Pages,
    exists: &impl Fn(&str) -> bool,
) -> Result<(), String> {
    if link.text.trim().is_empty() {
        return Err(if link.is_image {
            "the image has no alternative text".to_owned()
        } else {
            "the link has no text".to_owned()
        });
    }
    if let Some(path) = link.target.strip_prefix(REPOSITORY).and_then(of_main) {
        return file_is_there(path, pages, exists);
    }
    if link.target.contains(':') {
        return if link.is_image {
            Err("an image has to be a file of this repository".to_owned())
        } else {
            is_well_formed(&link.target)
        };
    }
    let path = resolved(from, &link.target)?;
    let is_in_book = |path: &str| path.starts_with(&format!("{BOOK}/"));
    let file = path.split('#').next().unwrap_or_default();
    if is_in_book(from) && !is_in_book(file) {
        return Err(format!(
            "the book has only {BOOK}/: link to {REPOSITORY}blob/main/{path} instead"
        ));
    }
    file_is_there(&path, pages, exists)
}

/// The path of a file or folder on the branch main, by what follows the repository's URL.
fn of_main(rest: &str) -> Option<&str> {
    rest.strip_prefix("blob/main/").or_else(|| rest.strip_prefix("tree/main/"))
}

fn file_is_there(path: &str, pages: &Pages, exists: &impl Fn(&str) -> bool) -> Result<(), String> {
    let (file, anchor) = match path.split_once('#') {
        Some((file, anchor)) => (file, Some(anchor)),
        None => (path, None),
    };
    if !exists(file) {
        return Err(format!("there is no {file}"));
    }
    match (anchor, pages.get(file)) {
        (None, _) => Ok(()),
        (Some(anchor), Some(Page { anchors, .. })) if anchors.contains(anchor) => Ok(()),
        (Some(anchor), Some(_)) => Err(format!("{file} has no heading with the anchor #{anchor}")),
        (Some(_), None) => Err(format!("{file} is not a page and has no anchors")),
    }
}

/// A relative link as a path from the root, with its anchor.
pub(super) fn resolved(from: &str, target: &str) -> Result<String, String> {
    if target.starts_with('#') {
        return Ok(format!("{from}{target}"));
    }
    if target.is_empty() || target.starts_with('/') || target.contains(['%', '?', '\\']) {
        return Err("write a plain path relative to this page".to_owned());
    }
    let mut folders: Vec<&str> = from.split('/').collect();
    folders.pop();
    for part in target.split('/') {
        match part {
            "." => {}
            ".." if folders.pop().is_none() => return Err("it leaves the repository".to_owned()),
            ".." => {}
            part => folders.push(part),
        }
    }
    Ok(folders.join("/"))
}

/// Whether a link to elsewhere is an `https` URL with a host name and only characters of RFC 3986.
fn is_well_formed(url: &str) -> Result<(), String> {
    let Some(rest) = url.strip_prefix("https://") else {
        return Err("links to elsewhere have to be https".to_owned());
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let is_label = |label: &str| {
        let ends = label.starts_with('-') || label.ends_with('-');
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        !label.is_empty() && !ends && label.bytes().all(is_name)
    };
    if !host.contains('.') || !host.split('.').all(is_label) {
        return Err(format!("`{host}` is not the name of a host"));
    }
    let is_allowed =
        |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&byte);
    match rest.chars().find(|character| !u8::try_from(*character).is_ok_and(is_allowed)) {
        Some(character) => Err(format!("`{character}` may not be in a URL")),
        None if rest.matches('#').count() > 1 => Err("it has two fragments".to_owned()),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The faults of a page with this text at `docs/sub/page.md`, without their places.
    fn faults_of(text: &str) -> Vec<String> {
        let pages = [
            ("docs/sub/page.md", text),
            ("docs/other.md", "# Other\n\n## Part\n"),
            ("README.md", "# Root\n"),
        ];
        let pages: Pages =
            pages.map(|(path, text)| (path.to_owned(), Page::parse(text))).into_iter().collect();
        let files = ["docs/a.svg", "docs/sub", "src/lib.rs"];
        let found = faults(&pages, |path| files.contains(&path) || pages.contains_key(path));
        let why = |fault: &String| fault.rsplit_once("): ").map(|(_, why)| why.to_owned());
        found.iter().map(|fault| why(fault).unwrap_or_else(|| fault.clone())).collect()
    }

    #[test]
    fn links_that_lead_somewhere_are_no_faults() {
        for link in [
            "[a](../other.md)",
            "[a](../other.md#part)",
            "[a](page.md)",
            "[a](./page.md#here)\n\n# Here",
            "[a](#here)\n\n# Here",
            "[a](../sub)",
            "![a](../a.svg)",
            "[a](https://github.com/adcp-signing/adcp-signing/blob/main/README.md#root)",
            "[a](https://github.com/adcp-signing/adcp-signing/blob/main/src/lib.rs)",
            "[a](https://github.com/adcp-signing/adcp-signing/tree/main/docs/sub)",
            "[a](https://github.com/adcp-signing/adcp-signing/releases)",
            "[a](https://docs.rs/metrics/0.24/metrics/#macros)",
            "[a][b]\n\n[b]: ../other.md",
            "an `[a](gone.md)` in code, and an array [b] or [c][] in text",
        ] {
            assert_eq!(faults_of(link), Vec::<String>::new(), "{link}");
        }
    }

    #[test]
    fn each_rule_names_what_breaks_it() {
        for (link, why) in [
            ("[a](gone.md)", "there is no docs/sub/gone.md"),
            ("![a](gone.svg)", "there is no docs/sub/gone.svg"),
            ("[a](../other.md#gone)", "docs/other.md has no heading with the anchor #gone"),
            ("[a](#gone)", "docs/sub/page.md has no heading with the anchor #gone"),
            ("[a](../a.svg#part)", "docs/a.svg is not a page and has no anchors"),
            ("![](../a.svg)", "the image has no alternative text"),
            ("![ ](../a.svg)", "the image has no alternative text"),
            ("[](../other.md)", "the link has no text"),
            (
                "![a](https://images.example.com/a.svg)",
                "an image has to be a file of this repository",
            ),
            (
                "[a](../../README.md#root)",
                "the book has only docs/: link to \
                 https://github.com/adcp-signing/adcp-signing/blob/main/README.md#root instead",
            ),
            (
                "[a](https://github.com/adcp-signing/adcp-signing/blob/main/gone.md)",
                "there is no gone.md",
            ),
            (
                "[a](https://github.com/adcp-signing/adcp-signing/blob/main/README.md#gone)",
                "README.md has no heading with the anchor #gone",
            ),
            ("[a](/other.md)", "write a plain path relative to this page"),
            ("[a](../other%20.md)", "write a plain path relative to this page"),
            ("[a]()", "write a plain path relative to this page"),
            ("[a](../../../other.md)", "it leaves the repository"),
            ("[a](http://docs.rs)", "links to elsewhere have to be https"),
            ("[a](mailto:a@example.com)", "links to elsewhere have to be https"),
            ("[a](https://localhost/)", "`localhost` is not the name of a host"),
            ("[a](https://-a.example/)", "`-a.example` is not the name of a host"),
            ("[a](https://a..example/)", "`a..example` is not the name of a host"),
            ("[a](https://docs.rs/\u{2026})", "`\u{2026}` may not be in a URL"),
            ("[a](https://docs.rs/#a#b)", "it has two fragments"),
            ("[a][b]", "docs/sub/page.md:1: [b] is not defined on this page"),
            (
                "<img src=\"a.svg\">",
                "docs/sub/page.md:1: <img src=\"a.svg\">: write links and anchors in Markdown",
            ),
        ] {
            assert_eq!(faults_of(link), [why], "{link}");
        }
    }
}
