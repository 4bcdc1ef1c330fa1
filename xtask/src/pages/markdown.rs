//! What of a page can be linked to, and what it links to.

use std::collections::{BTreeSet, HashMap};

use pulldown_cmark::{BrokenLink, CowStr, Event, LinkType, Options, Parser, Tag, TagEnd};

/// A link or an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    /// The line of the page, from 1.
    pub(super) line: usize,
    pub(super) target: String,
    /// The text between the brackets: of an image, what it says to those who cannot see it.
    pub(super) text: String,
    pub(super) is_image: bool,
}

/// A page of Markdown.
#[derive(Debug, Default)]
pub(super) struct Page {
    /// The anchors of its headings.
    pub(super) anchors: BTreeSet<String>,
    pub(super) links: Vec<Link>,
    /// Each `[text][name]` whose name is not defined, with its line.
    pub(super) undefined: Vec<(usize, String)>,
    /// HTML that could hold a link or an anchor, with its line.
    pub(super) html: Vec<(usize, String)>,
}

impl Page {
    /// Reads a page as GitHub does.
    pub(super) fn parse(text: &str) -> Self {
        let options = Options::ENABLE_TABLES | Options::ENABLE_FOOTNOTES;
        let mut undefined = Vec::new();
        let mut note = |broken: BrokenLink<'_>| -> Option<(CowStr<'_>, CowStr<'_>)> {
            if broken.link_type == LinkType::Reference {
                undefined.push((line_of(text, broken.span.start), broken.reference.to_string()));
            }
            None
        };
        let parser = Parser::new_with_broken_link_callback(text, options, Some(&mut note));
        let mut page = Self::default();
        let (mut heading, mut open, mut seen) = (None::<String>, Vec::new(), HashMap::new());
        for (event, range) in parser.into_offset_iter() {
            let line = || line_of(text, range.start);
            match event {
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => {
                    let anchor = slug(&heading.take().unwrap_or_default());
                    page.anchors.insert(numbered(anchor, &mut seen));
                }
                Event::Start(Tag::Link { dest_url, .. }) => {
                    open.push(Link::new(line(), &dest_url, false));
                }
                Event::Start(Tag::Image { dest_url, .. }) => {
                    open.push(Link::new(line(), &dest_url, true));
                }
                Event::End(TagEnd::Link | TagEnd::Image) => page.links.extend(open.pop()),
                Event::Text(words) | Event::Code(words) => {
                    open.iter_mut().for_each(|link| link.text += &words);
                    if let Some(heading) = &mut heading {
                        *heading += &words;
                    }
                }
                Event::Html(html) | Event::InlineHtml(html)
                    if ["<a", "<img", "id=", "name="].iter().any(|part| html.contains(part)) =>
                {
                    page.html.push((line(), html.trim().to_owned()));
                }
                _ => {}
            }
        }
        page.undefined = undefined;
        page
    }
}

impl Link {
    fn new(line: usize, target: &str, is_image: bool) -> Self {
        Self { line, target: target.to_owned(), text: String::new(), is_image }
    }
}

/// The line of a byte, from 1.
fn line_of(text: &str, byte: usize) -> usize {
    text.bytes().take(byte).filter(|byte| *byte == b'\n').count() + 1
}

/// The anchor of a heading, by the rule of GitHub and of mdBook: lower case, spaces become hyphens,
/// and of all else only letters, digits, hyphens and underscores stay.
pub(super) fn slug(heading: &str) -> String {
    heading
        .trim()
        .chars()
        .filter_map(|character| match character {
            ' ' => Some('-'),
            '-' | '_' => Some(character),
            _ => character.is_alphanumeric().then_some(character),
        })
        .flat_map(char::to_lowercase)
        .collect()
}

/// A second heading of the same text gets `-1`, a third `-2`.
fn numbered(anchor: String, seen: &mut HashMap<String, usize>) -> String {
    let count = seen.entry(anchor.clone()).and_modify(|count| *count += 1).or_default();
    if *count == 0 { anchor } else { format!("{anchor}-{count}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_anchor_is_made_as_github_and_mdbook_make_it() {
        for (heading, anchor) in [
            ("What is around the key", "what-is-around-the-key"),
            ("1. Say what you verify", "1-say-what-you-verify"),
            ("Keys & purposes", "keys--purposes"),
            ("PKCS#11", "pkcs11"),
            ("`--json`, snake_case", "--json-snake_case"),
            ("Größe µ", "größe-µ"),
        ] {
            let page = Page::parse(&format!("## {heading}\n"));
            assert_eq!(page.anchors, BTreeSet::from([anchor.to_owned()]), "{heading}");
        }
        let page = Page::parse("# A\n\n## A\n\n### A\n");
        assert_eq!(page.anchors.into_iter().collect::<Vec<_>>(), ["a", "a-1", "a-2"]);
    }

    #[test]
    fn links_are_found_with_their_lines_and_texts_and_code_has_none() {
        let page = Page::parse(
            "# [A](a.md)\n\n![a `b`](c.svg) `[no](no.md)`\n\n```text\n[no](no.md)\n```\n\n\
             [d][e] | [f][g]\n\n[e]: h.md\n",
        );
        let found = |link: &Link| (link.line, link.target.clone(), link.text.clone());
        assert_eq!(
            page.links.iter().map(found).collect::<Vec<_>>(),
            [
                (1, "a.md".to_owned(), "A".to_owned()),
                (3, "c.svg".to_owned(), "a b".to_owned()),
                (9, "h.md".to_owned(), "d".to_owned()),
            ]
        );
        assert_eq!(page.anchors, BTreeSet::from(["a".to_owned()]));
        assert_eq!(page.undefined, [(9, "g".to_owned())]);
    }

    #[test]
    fn html_is_reported_where_it_could_link_or_be_linked_to() {
        let page = Page::parse("<a href=\"x\">y</a>\n\na<br>b <code>&#124;</code>\n");
        assert_eq!(page.html.len(), 1);
        assert_eq!(page.html[0].0, 1);
    }
}
