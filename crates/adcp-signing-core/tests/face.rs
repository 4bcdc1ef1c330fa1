//! The names at the root are few enough to read: what a signer or a verifier needs.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

/// The names of every `pub use` of a file, groups written out.
fn public_names(source: &str) -> Vec<&str> {
    let mut names = Vec::new();
    for tree in source.split("pub use ").skip(1) {
        let tree = tree.split(';').next().unwrap();
        let words = tree.split(['{', '}', ',', ' ', '\n']);
        let paths = words.filter(|word| !word.is_empty() && !word.ends_with("::"));
        names.extend(paths.map(|path| path.rsplit("::").next().unwrap()));
    }
    names
}

#[test]
fn the_root_has_about_sixty_names_each_once() {
    let mut names = public_names(include_str!("../src/lib.rs"));
    for expected in ["Signer", "Verifier", "VerifiedHttp", "Origin", "KeyRef", "StaticKeys"] {
        assert!(names.contains(&expected), "{expected} is not read from lib.rs");
    }
    assert!((50..=70).contains(&names.len()), "{} names: {names:?}", names.len());
    names.sort_unstable();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count);
}

#[test]
fn nested_groups_and_single_names_are_counted() {
    let source = "pub use a::B;\npub use self::{\n    c::{D, E},\n    f::G,\n};\nuse h::I;";
    assert_eq!(public_names(source), ["B", "D", "E", "G"]);
}
