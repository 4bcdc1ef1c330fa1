//! The folders of `src` are rooms, and imports between them point one way.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "helpers of tests"
)]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// The rooms from the top down. A file may import from its own room and from those below it.
/// `provider` has rooms of its own: the layers and the toolkit stand on the trait, not the reverse.
const ROOMS: [&str; 23] = [
    "verify",
    "sign",
    "webhook",
    "rotation",
    "revocation",
    "resolver",
    "replay",
    "profile",
    "operation",
    "http_message",
    "rfc9421",
    "target_uri",
    "provider/layers",
    "provider/toolkit",
    "provider",
    "keys",
    "json",
    "nonce",
    "clock",
    "answer",
    "telemetry",
    "text",
    "lib",
];

fn rank(room: &str) -> usize {
    ROOMS
        .iter()
        .position(|known| *known == room)
        .unwrap_or_else(|| panic!("the room `{room}` is not in ROOMS: decide where it stands"))
}

/// The room of a path of modules: the longest that is listed.
fn room_of(modules: &[&str]) -> String {
    let pair = modules.iter().take(2).copied().collect::<Vec<_>>().join("/");
    if ROOMS.contains(&pair.as_str()) { pair } else { modules[0].to_owned() }
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The code of a file, without comments and without its tests, which may look anywhere.
fn code(text: &str) -> String {
    let code = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap();
    let lines = code.lines().map(|line| line.split("//").next().unwrap());
    lines.collect::<Vec<_>>().join("\n")
}

/// Every path that starts with `crate::`, groups written out.
fn imports(code: &str) -> Vec<String> {
    let mut paths = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        if code[..at].ends_with(|before: char| before.is_alphanumeric() || before == '$') {
            continue;
        }
        expand("", &code[at + "crate::".len()..], &mut paths);
    }
    paths
}

/// Reads one use tree, and returns how much of the text it took.
fn expand(prefix: &str, text: &str, paths: &mut Vec<String>) -> usize {
    let mut path = prefix.to_owned();
    let mut at = 0;
    for character in text.chars() {
        match character {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '_' | ':' | '*' => path.push(character),
            '{' => {
                at += 1;
                loop {
                    at += expand(&path, &text[at..], paths);
                    match text[at..].chars().next() {
                        Some(',') => at += 1,
                        Some('}') => return at + 1,
                        Some(space) if space.is_whitespace() => at += 1,
                        other => panic!("{other:?} in a use tree after {path}"),
                    }
                }
            }
            _ if path == prefix && character.is_whitespace() => {}
            _ => break,
        }
        at += character.len_utf8();
    }
    if path != prefix {
        paths.push(path);
    }
    // `Name as Other` and `Name as _`.
    match text[at..].strip_prefix(" as ") {
        Some(rest) => {
            let name = rest.find(|end: char| !(end.is_alphanumeric() || end == '_'));
            at + " as ".len() + name.unwrap_or(rest.len())
        }
        None => at,
    }
}

#[test]
fn imports_between_rooms_point_down_and_never_through_the_root() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&src, &mut files);
    assert!(files.len() > 100, "the sources were not found");
    let mut wrong = Vec::new();
    let mut arrows: BTreeMap<(String, String), usize> = BTreeMap::new();
    for file in files {
        let name = file.strip_prefix(&src).unwrap().with_extension("");
        let shown = name.display().to_string();
        let modules: Vec<&str> = name.iter().map(|part| part.to_str().unwrap()).collect();
        if shown.contains("tests") || modules[0] == "lib" {
            continue;
        }
        let here = room_of(&modules);
        for path in imports(&code(&fs::read_to_string(&file).unwrap())) {
            let target: Vec<&str> = path.split("::").filter(|part| *part != "self").collect();
            if target[0].starts_with(char::is_uppercase) {
                wrong.push(format!("{shown} imports {path} through the crate root"));
                continue;
            }
            let there = room_of(&target);
            *arrows.entry((here.clone(), there.clone())).or_default() += 1;
            if rank(&there) < rank(&here) {
                wrong.push(format!("{shown} imports crate::{path}: {here} is below {there}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(arrows.len() > 20, "no imports were read");
}

#[test]
fn use_trees_are_read() {
    let code = "use crate::{a::{B, c::D as _, self}, e::F};\nlet x = crate::g::H::new();";
    assert_eq!(imports(code), ["a::B", "a::c::D", "a::self", "e::F", "g::H::new"]);
}

#[test]
fn the_page_about_the_architecture_has_the_rooms_in_their_order() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/architecture.md");
    let page = fs::read_to_string(page).unwrap();
    let (_, page) = page.split_once("| room |").unwrap();
    let (table, _) = page.split_once("\n\n").unwrap();
    let firsts = table.lines().skip(2).map(|row| row.split('|').nth(1).unwrap());
    let named: Vec<&str> = firsts
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .map(|room| room.trim_end_matches('/'))
        .collect();
    let rooms: Vec<&str> = ROOMS.into_iter().filter(|room| *room != "lib").collect();
    assert_eq!(named, rooms);
}
