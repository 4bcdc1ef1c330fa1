//! Which suites there are.

use crate::{checksums, demo, emulators, interop};

/// What a suite runs.
#[derive(Clone, Copy)]
pub(super) enum Work {
    /// `cargo test` with these arguments; its tests are counted.
    Cargo(&'static [&'static str]),
    /// The tests of a backend's crate against these servers; `vault` adds HashiCorp's where it was
    /// asked for.
    Backend {
        /// The crate.
        package: &'static str,
        /// The servers that are brought up for it, and taken down again.
        servers: &'static [&'static str],
    },
    /// Other tests that need servers.
    Served {
        /// The crate.
        package: &'static str,
        /// The servers that are brought up for it, and taken down again.
        servers: &'static [&'static str],
    },
    /// Messages between us and the SDKs of other projects.
    Interop,
    /// docker-compose.yml, brought up and tested against; left out by `--fast`.
    Compose,
    /// The published vectors against their hashes.
    Hashes,
    /// What may be linked.
    Dependencies,
    /// The first command of README.md.
    ReadmeCommand,
    /// The format.
    Fmt,
    /// Clippy; left out by `--fast`.
    Clippy,
    /// The docs; left out by `--fast`.
    Doc,
    /// Each feature alone; left out by `--fast`.
    Features,
    /// The dry run of a release; left out by `--fast`.
    Release,
}

/// Every suite, in the order of running.
pub(super) const SUITES: &[(&str, Work)] = &[
    ("fmt", Work::Fmt),
    (checksums::SUITE, Work::Hashes),
    ("dependencies", Work::Dependencies),
    ("xtask", Work::Cargo(&["--package", "xtask"])),
    (
        "core",
        Work::Cargo(&["--package", "adcp-signing-core", "--all-features", "--lib", "--tests"]),
    ),
    (
        "core-pure-rust",
        Work::Cargo(&[
            "--package",
            "adcp-signing-core",
            "--no-default-features",
            "--lib",
            "--tests",
        ]),
    ),
    ("conformance", Work::Cargo(&["--package", "adcp-signing-conformance", "--lib", "--tests"])),
    (
        "fakes-and-testkit",
        Work::Cargo(&[
            "--package",
            "adcp-signing-fakes",
            "--package",
            "adcp-signing-testkit",
            "--all-features",
            "--lib",
            "--tests",
        ]),
    ),
    ("bench", Work::Cargo(&["--package", "adcp-signing-bench", "--bins"])),
    (
        "facade",
        Work::Cargo(&[
            "--package",
            "adcp-signing",
            "--features",
            "http,tokio",
            "--lib",
            "--example",
            "own_provider",
        ]),
    ),
    (
        // Without target options, so that the examples are built as programs for their test.
        "http",
        Work::Cargo(&["--package", "adcp-signing-http", "--all-features"]),
    ),
    ("sqlite", Work::Cargo(&["--package", "adcp-signing-sqlite", "--lib", "--tests"])),
    ("trust", Work::Cargo(&["--package", "adcp-signing-trust", "--lib", "--tests"])),
    ("grader", Work::Served { package: "adcp-signing-grader", servers: &["browser"] }),
    ("cli", Work::Cargo(&["--package", "adcp-signing-cli", "--bins", "--tests"])),
    ("doc-tests", Work::Cargo(&["--workspace", "--all-features", "--doc"])),
    ("readme-command", Work::ReadmeCommand),
    (
        "vault-transit",
        Work::Backend { package: "adcp-signing-vault-transit", servers: &["openbao"] },
    ),
    ("pkcs11", Work::Backend { package: "adcp-signing-pkcs11", servers: &["softhsm"] }),
    (
        "aws-kms",
        Work::Backend { package: "adcp-signing-aws-kms", servers: &["localstack", "ministack"] },
    ),
    (
        // The sources of credentials that the suite before it has, left out.
        "aws-kms-default-features",
        Work::Cargo(&["--package", "adcp-signing-aws-kms", "--test", "credentials"]),
    ),
    (
        "azure-key-vault",
        Work::Backend {
            package: "adcp-signing-azure-key-vault",
            servers: &["fake-azure-key-vault"],
        },
    ),
    ("gcp-kms", Work::Backend { package: "adcp-signing-gcp-kms", servers: &["fake-gcp-kms"] }),
    (
        "cli-all-features",
        Work::Served {
            package: "adcp-signing-cli",
            servers: &[
                "ministack",
                "openbao",
                "softhsm",
                "fake-azure-key-vault",
                "fake-gcp-kms",
                "adcp-python",
            ],
        },
    ),
    ("demo", Work::Served { package: demo::PACKAGE, servers: &[demo::SERVER] }),
    (interop::SUITE, Work::Interop),
    (emulators::COMPOSE_SUITE, Work::Compose),
    // These are made beside the tests of those before; what is left of them comes here.
    ("clippy", Work::Clippy),
    ("doc", Work::Doc),
    ("features", Work::Features),
    ("release", Work::Release),
];
