//! CHANGELOG.md: what a release finds under [Unreleased] becomes that version's section.

use anyhow::{Context as _, Result, ensure};
use semver::Version;

/// Versions that have a section, the newest first.
pub(crate) fn released(text: &str) -> Vec<Version> {
    let heading = |line: &str| line.strip_prefix("## [")?.split_once(']')?.0.parse().ok();
    text.lines().filter_map(heading).collect()
}

/// Whether there is something to release.
pub(crate) fn has_news(text: &str) -> bool {
    let Some((_, after)) = split(text) else { return false };
    after
        .lines()
        .take_while(|line| !line.starts_with("## ["))
        .any(|line| line.trim_start().starts_with("- "))
}

/// Puts the version's heading under [Unreleased], and the links of both at the end.
pub(crate) fn release(
    text: &str,
    version: &Version,
    date: &str,
    repository: &str,
) -> Result<String> {
    ensure!(!released(text).contains(version), "CHANGELOG.md has a section {version} already");
    ensure!(has_news(text), "CHANGELOG.md has no entry under [Unreleased]");
    let (before, after) = split(text).context("CHANGELOG.md has no line `## [Unreleased]`")?;
    let previous = released(text).into_iter().next();
    let (body, links): (Vec<&str>, Vec<&str>) =
        after.trim_start_matches('\n').lines().partition(|line| !is_link(line));
    let body = body.join("\n");
    let mut renewed =
        format!("{before}## [Unreleased]\n\n## [{version}] - {date}\n\n{}\n\n", body.trim_end());
    renewed += &format!("[Unreleased]: {repository}/compare/v{version}...HEAD\n");
    renewed += &match previous {
        Some(previous) => format!("[{version}]: {repository}/compare/v{previous}...v{version}\n"),
        None => format!("[{version}]: {repository}/releases/tag/v{version}\n"),
    };
    for link in links.iter().filter(|link| !link.starts_with("[Unreleased]:")) {
        renewed += &format!("{link}\n");
    }
    Ok(renewed)
}

/// The text before the heading [Unreleased], and after it.
fn split(text: &str) -> Option<(&str, &str)> {
    text.split_once("## [Unreleased]\n")
}

fn is_link(line: &str) -> bool {
    line.starts_with('[') && line.contains("]: ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPOSITORY: &str = "https://git.example/p";

    fn version(text: &str) -> Version {
        text.parse().unwrap()
    }

    #[test]
    fn one_release_follows_another() {
        let first = "# Changelog\n\nText.\n\n## [Unreleased]\n\n### Added\n\n- A.\n";
        let released_once = "# Changelog\n\nText.\n\n## [Unreleased]\n\n## [0.1.0] - 2026-01-02\n\n### Added\n\n- A.\n\n\
            [Unreleased]: https://git.example/p/compare/v0.1.0...HEAD\n\
            [0.1.0]: https://git.example/p/releases/tag/v0.1.0\n";
        assert_eq!(
            release(first, &version("0.1.0"), "2026-01-02", REPOSITORY).unwrap(),
            released_once
        );
        assert!(!has_news(released_once));

        let second =
            released_once.replace("## [Unreleased]\n", "## [Unreleased]\n\n### Fixed\n\n- B.\n");
        let released_twice = "# Changelog\n\nText.\n\n## [Unreleased]\n\n## [0.2.0] - 2026-03-04\n\n### Fixed\n\n- B.\n\n\
            ## [0.1.0] - 2026-01-02\n\n### Added\n\n- A.\n\n\
            [Unreleased]: https://git.example/p/compare/v0.2.0...HEAD\n\
            [0.2.0]: https://git.example/p/compare/v0.1.0...v0.2.0\n\
            [0.1.0]: https://git.example/p/releases/tag/v0.1.0\n";
        assert_eq!(
            release(&second, &version("0.2.0"), "2026-03-04", REPOSITORY).unwrap(),
            released_twice
        );
        assert_eq!(released(released_twice), [version("0.2.0"), version("0.1.0")]);
    }

    #[test]
    fn nothing_to_say_or_said_already_is_refused() {
        for (text, error) in [
            ("# Changelog\n\n## [Unreleased]\n", "CHANGELOG.md has no entry under [Unreleased]"),
            (
                "# Changelog\n\n## [Unreleased]\n\n### Added\n",
                "CHANGELOG.md has no entry under [Unreleased]",
            ),
            ("# Changelog\n\n- A.\n", "CHANGELOG.md has no entry under [Unreleased]"),
            (
                "## [Unreleased]\n\n## [0.1.0] - x\n\n- A.\n",
                "CHANGELOG.md has a section 0.1.0 already",
            ),
            (
                "## [Unreleased]\n\n## [0.0.9] - x\n\n- A.\n",
                "CHANGELOG.md has no entry under [Unreleased]",
            ),
        ] {
            let refused = release(text, &version("0.1.0"), "2026-01-02", REPOSITORY).unwrap_err();
            assert_eq!(refused.to_string(), error, "{text}");
        }
    }
}
