//! Whole releases of a small workspace: cargo publishes to a registry of the test's own, git pushes
//! to a bare repository.

mod registry;

use std::{
    cell::Cell,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
};

use time::{Date, Month};

use self::registry::Registry;
use super::*;

/// A workspace of three published crates and one that is not, its remote, and the registry.
struct Project {
    _folder: tempfile::TempDir,
    work: Checkout,
    registry: Registry,
    tests_run: Cell<u32>,
    tests_pass: Cell<bool>,
}

const WORKSPACE: &str = r#"[workspace]
resolver = "3"
members = ["crates/*"]

[workspace.package]
version = "0.1.0"
edition = "2024"
license = "MIT OR Apache-2.0"
repository = "https://git.example/adcp-signing"

[workspace.dependencies]
adcp-signing-core = { path = "crates/adcp-signing-core", version = "0.1.0", default-features = false }
adcp-signing-fakes = { path = "crates/adcp-signing-fakes" }
adcp-signing-suite = { path = "crates/adcp-signing-suite", version = "0.1.0" }
"#;

const COMMON: &str = "version.workspace = true\nedition.workspace = true\nlicense.workspace = true\n\
    repository.workspace = true\ndescription = \"A crate of a test.\"\n";

/// `(crate, the rest of its manifest, source)`.
const CRATES: &[(&str, &str, &str)] = &[
    ("adcp-signing-core", "\n[features]\nextra = []\n", "//! Core.\npub fn core() {}\n"),
    (
        "adcp-signing",
        "exclude = [\"tests\"]\n\n[features]\nextra = [\"adcp-signing-core/extra\"]\n\n[dependencies]\n\
         adcp-signing-core.workspace = true\n\n[dev-dependencies]\nadcp-signing-fakes.workspace = true\n\
         adcp-signing-suite.workspace = true\n",
        "#![doc = include_str!(\"../README.md\")]\npub use adcp_signing_core::core;\n",
    ),
    (
        "adcp-signing-suite",
        "\n[dependencies]\nadcp-signing-core = { workspace = true, features = [\"extra\"] }\n",
        "//! Suite.\npub use adcp_signing_core::core;\n",
    ),
    (
        "adcp-signing-fakes",
        "publish = false\n\n[dependencies]\nadcp-signing-core.workspace = true\n",
        "//! Fakes.\npub use adcp_signing_core::core;\n",
    ),
];

impl Project {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let registry = Registry::start();
        let at = |path: &str| folder.path().join(path);
        write(&at("cargo/config.toml"), &registry.configuration());
        write(
            &at("git"),
            "[user]\nname = Tester\nemail = tester@example.com\n[init]\ndefaultBranch = main\n",
        );
        let environment = [
            ("CARGO_HOME", at("cargo").into_os_string()),
            ("GIT_CONFIG_GLOBAL", at("git").into_os_string()),
            ("GIT_CONFIG_NOSYSTEM", "1".into()),
            ("CARGO_TERM_QUIET", "true".into()),
        ];
        let environment: Vec<(&str, &OsStr)> =
            environment.iter().map(|(name, value)| (*name, value.as_os_str())).collect();
        let work = Checkout::of(&at("work"), &environment);
        let project = Self {
            work,
            registry,
            tests_run: Cell::new(0),
            tests_pass: Cell::new(true),
            _folder: folder,
        };
        project.write("Cargo.toml", WORKSPACE);
        project.write(".gitignore", "/target\n");
        project.write(
            "README.md",
            "Use `adcp-signing = \"0.1\"`.\n\nVersion 0.1, not yet released.\n",
        );
        project.write(
            "CHANGELOG.md",
            "# Changelog\n\n## [Unreleased]\n\n### Added\n\n- Everything.\n",
        );
        for (name, manifest, source) in CRATES {
            let folder = format!("crates/{name}");
            let manifest =
                format!("[package]\nname = \"{name}\"\nreadme = \"README.md\"\n{COMMON}{manifest}");
            project.write(&format!("{folder}/Cargo.toml"), &manifest);
            project.write(&format!("{folder}/src/lib.rs"), source);
            for file in ["README.md", "LICENSE-MIT", "LICENSE-APACHE"] {
                project.write(&format!("{folder}/{file}"), "Text.\n");
            }
        }
        project.write(
            "crates/adcp-signing/tests/it.rs",
            "#[test]\nfn it() { adcp_signing_fakes::core(); }\n",
        );
        assert!(project.work.cargo(["generate-lockfile"]).output().unwrap().status.success());
        project.git(&["init", "--quiet"]);
        project.commit();
        project.git(&["init", "--quiet", "--bare", "../remote"]);
        project.git(&["remote", "add", "origin", "../remote"]);
        project.git(&["push", "--quiet", "origin", "main"]);
        project
    }

    fn path(&self, file: &str) -> PathBuf {
        self.work.root().join(file)
    }

    fn write(&self, file: &str, text: &str) {
        write(&self.path(file), text);
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.path(file)).unwrap()
    }

    fn git(&self, args: &[&str]) -> String {
        self.work.ask(args).unwrap()
    }

    fn commit(&self) {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", "Change"]);
    }

    fn remote(&self, reference: &str) -> String {
        self.git(&["ls-remote", "origin", reference])
            .split('\t')
            .next()
            .unwrap_or_default()
            .to_owned()
    }

    fn release(&self, version: &str, options: &[&str]) -> Result<()> {
        #[derive(clap::Parser)]
        struct Options {
            #[command(flatten)]
            args: ReleaseArgs,
        }
        let words = [&["release", version], options].concat();
        let Options { args } = clap::Parser::parse_from(words);
        let suite = || {
            self.tests_run.set(self.tests_run.get() + 1);
            Ok(self.tests_pass.get())
        };
        release(
            &self.work,
            &args,
            Date::from_calendar_date(2026, Month::January, 2).unwrap(),
            &suite,
        )
    }

    /// Everything that git knows of the work tree, and every file in it.
    fn state(&self) -> Vec<String> {
        let mut state = vec![
            self.git(&["status", "--porcelain"]),
            self.git(&["for-each-ref"]),
            self.git(&["rev-parse", "HEAD"]),
            self.git(&["worktree", "list"]),
        ];
        state.extend(self.git(&["ls-files"]).lines().map(|file| self.read(file)));
        state
    }
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

#[test]
fn a_release_that_fails_half_way_goes_on_where_it_stopped_and_does_nothing_twice() {
    let project = Project::new();
    project.registry.refuse(Some("adcp-signing-suite"));
    let refused = project.release("0.2.0", &["--execute"]).unwrap_err().to_string();
    assert!(
        refused.starts_with(
            "`cargo publish --locked --no-verify --workspace --exclude adcp-signing-core` failed"
        ),
        "{refused}"
    );
    // It went on once, as something had been taken.
    let refused = ["adcp-signing-core", "!adcp-signing-suite", "!adcp-signing-suite"];
    assert_eq!(project.registry.uploads(), refused);
    let commit = project.git(&["rev-parse", "HEAD"]);
    assert_eq!(project.git(&["log", "-1", "--format=%s"]), "Release 0.2.0");
    assert_eq!(project.remote("refs/heads/main"), commit);
    assert_eq!(project.git(&["tag"]), "");

    project.registry.refuse(None);
    project.release("0.2.0", &["--execute"]).unwrap();
    let uploads = [&refused[..], &["adcp-signing-suite", "adcp-signing"]].concat();
    assert_eq!(project.registry.uploads(), uploads);
    assert_eq!(project.tests_run.get(), 1);
    assert_eq!(project.remote("refs/tags/v0.2.0^{}"), commit);

    let before = project.state();
    project.release("0.2.0", &["--execute"]).unwrap();
    assert_eq!(project.registry.uploads(), uploads);
    assert_eq!(project.state(), before);

    // What was published is what was prepared and listed, to the byte.
    let sums = project.read("target/release-artifacts/0.2.0/SHA256SUMS");
    for name in ["adcp-signing-core", "adcp-signing-suite", "adcp-signing"] {
        let file = format!("{name}-0.2.0.crate");
        let sum = project.registry.checksum(&file).unwrap();
        assert!(sums.contains(&format!("{sum}  {file}\n")), "{file}");
    }
    assert_eq!(project.read("README.md"), "Use `adcp-signing = \"0.2\"`.\n\nVersion 0.2.\n");
    assert!(
        project
            .read("CHANGELOG.md")
            .contains("## [Unreleased]\n\n## [0.2.0] - 2026-01-02\n\n### Added")
    );
}

#[test]
fn an_upload_whose_answer_was_lost_counts_as_done() {
    let project = Project::new();
    project.registry.lose_the_answer_for("adcp-signing-core");
    project.release("0.1.0", &["--execute"]).unwrap();
    assert_eq!(
        project.registry.uploads(),
        ["adcp-signing-core", "adcp-signing-suite", "adcp-signing"]
    );
    assert_eq!(project.git(&["tag"]), "v0.1.0");
}

#[test]
fn a_dry_run_changes_nothing_and_leaves_its_artifacts() {
    let project = Project::new();
    let before = project.state();
    project.release("0.2.0", &["--dry-run"]).unwrap();
    assert_eq!(project.state(), before);
    assert_eq!((project.registry.uploads(), project.tests_run.get()), (vec![], 0));
    let folder = "target/release-artifacts/0.2.0-dry-run";
    let sbom: serde_json::Value =
        serde_json::from_str(&project.read(&format!("{folder}/adcp-signing-0.2.0.cdx.json")))
            .unwrap();
    assert_eq!(sbom["components"].as_array().unwrap().len(), 3);
    assert_eq!(project.read(&format!("{folder}/SHA256SUMS")).lines().count(), 4);
}

#[test]
fn without_execute_everything_is_prepared_and_nothing_is_moved() {
    let project = Project::new();
    let before = project.state();
    project.release("0.2.0", &[]).unwrap();
    assert_eq!(project.state(), before);
    assert_eq!((project.registry.uploads(), project.tests_run.get()), (vec![], 1));

    project.release("0.2.0", &["--execute"]).unwrap();
    assert_eq!(project.tests_run.get(), 1, "what was prepared is used");
}

#[test]
fn what_was_prepared_before_the_branch_moved_is_prepared_again() {
    let project = Project::new();
    project.release("0.2.0", &[]).unwrap();
    project.write(
        "crates/adcp-signing-core/src/lib.rs",
        "//! Core.\npub fn core() {}\npub fn more() {}\n",
    );
    project.commit();
    project.release("0.2.0", &["--execute"]).unwrap();
    assert_eq!(project.tests_run.get(), 2);
    assert!(project.git(&["show", "v0.2.0:crates/adcp-signing-core/src/lib.rs"]).contains("more"));
}

#[test]
fn a_release_commit_made_elsewhere_is_published_as_it_is() {
    let project = Project::new();
    project.release("0.2.0", &[]).unwrap();
    let folder = project.path("target/release-artifacts/0.2.0");
    let prepared = Artifacts::of(&project.path("target"), &Version::new(0, 2, 0), false)
        .load()
        .unwrap()
        .unwrap();
    project.git(&["merge", "--quiet", "--ff-only", &prepared.commit]);
    fs::remove_dir_all(folder).unwrap();
    project.release("0.2.0", &["--execute"]).unwrap();
    assert_eq!(project.git(&["rev-parse", "v0.2.0^{commit}"]), prepared.commit);
}

#[test]
fn another_package_under_the_same_version_is_refused() {
    let project = Project::new();
    project.registry.refuse(Some("adcp-signing-suite"));
    project.release("0.2.0", &["--execute"]).unwrap_err();
    project.registry.refuse(None);
    // Half of it is published, and what is to follow is another commit.
    fs::remove_dir_all(project.path("target/release-artifacts")).unwrap();
    project.write(
        "crates/adcp-signing-core/src/lib.rs",
        "//! Core.\npub fn core() {}\npub fn more() {}\n",
    );
    project.commit();
    let refused = project.release("0.2.0", &["--execute"]).unwrap_err().to_string();
    assert!(
        refused.starts_with("the registry has adcp-signing-core 0.2.0 with SHA-256 "),
        "{refused}"
    );
    assert_eq!(project.git(&["tag"]), "");
}

#[test]
fn what_is_not_ready_is_refused_with_every_reason() {
    let project = Project::new();
    project.git(&["switch", "--quiet", "--create", "topic"]);
    project.git(&["tag", "v0.2.0"]);
    project.write("CHANGELOG.md", "# Changelog\n\n## [Unreleased]\n");
    project.commit();
    project.write("new", "");
    let refused = project.release("0.2.0", &["--dry-run"]).unwrap_err().to_string();
    assert_eq!(
        refused,
        "several things are in the way:\n  \
         - the work tree has changes that are not committed, the first is `?? new`\n  \
         - this is topic, and releases are made on main; `--branch` names another\n  \
         - the tag v0.2.0 exists already\n  \
         - CHANGELOG.md has no entry under [Unreleased]"
    );
}

#[test]
fn failing_tests_stop_a_release_before_anything_is_changed() {
    let project = Project::new();
    project.tests_pass.set(false);
    let before = project.state();
    let refused = project.release("0.2.0", &["--execute"]).unwrap_err().to_string();
    assert_eq!(refused, "the tests fail: nothing was changed");
    assert_eq!(project.state(), before);
}

#[test]
fn a_package_that_cannot_stand_alone_is_refused() {
    for (file, text, reason) in [
        (
            "crates/adcp-signing/LICENSE-MIT",
            None,
            "the package of adcp-signing has no LICENSE-MIT; for a licence: `ln -s",
        ),
        (
            "crates/adcp-signing-core/src/lib.rs",
            Some(
                "//! Core.\npub fn core() {}\npub const R: &str = include_str!(\"../../../README.md\");\n",
            ),
            "adcp-signing does not check from its package with its default features",
        ),
        (
            "crates/adcp-signing-core/src/lib.rs",
            Some("//! See [`missing`].\npub fn core() {}\n"),
            "adcp-signing-core cannot be documented with its default features",
        ),
        (
            "crates/adcp-signing/src/lib.rs",
            Some("//! Facade.\n#[cfg(feature = \"extra\")]\npub use adcp_signing_core::gone;\n"),
            "adcp-signing does not check from its package with --all-features",
        ),
        ("crates/adcp-signing/README.md", None, "`cargo package` failed"),
    ] {
        let project = Project::new();
        match text {
            Some(text) => project.write(file, text),
            None => fs::remove_file(project.path(file)).unwrap(),
        }
        project.commit();
        let refused = project.release("0.2.0", &["--dry-run"]).unwrap_err().to_string();
        assert!(refused.starts_with(reason), "{refused}");
    }
}

#[test]
fn a_packaged_test_that_needs_what_is_not_published_is_refused() {
    let project = Project::new();
    let manifest =
        project.read("crates/adcp-signing/Cargo.toml").replace("exclude = [\"tests\"]\n", "");
    project.write("crates/adcp-signing/Cargo.toml", &manifest);
    project.commit();
    let refused = project.release("0.2.0", &["--dry-run"]).unwrap_err().to_string();
    assert_eq!(
        refused,
        "the package of adcp-signing has `tests`, which needs adcp-signing-fakes, which is not published: \
         add \"tests\" to `exclude` in crates/adcp-signing/Cargo.toml"
    );
}
