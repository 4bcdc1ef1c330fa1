//! The program of the README that verifies a request stays short.

#[test]
fn the_program_that_verifies_has_at_most_25_lines() {
    let readme = include_str!("../README.md");
    let program = readme.split("```").nth(1).unwrap_or_default();
    assert!(program.contains("verify_http") && program.contains("received.signed()?"));
    let shown = program.lines().skip(1).filter(|line| !line.starts_with("# "));
    assert!(shown.count() <= 25);
}
