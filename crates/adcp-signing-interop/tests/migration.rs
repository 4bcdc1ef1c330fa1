//! docs/migration.md against the packages that it is about: the names are theirs and ours, and the
//! key files that their tools write are read.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test fails by panicking"
)]

use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use adcp_signing_core::{InMemoryProvider, JwkSet, KeyPurpose};
use adcp_signing_testkit::skip;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The Python program of `adcp`, and the folder of `@adcp/sdk`, where they are installed.
fn packages() -> Option<(PathBuf, PathBuf)> {
    let python = env::var_os("ADCP_TEST_INTEROP_PYTHON")?;
    let node = PathBuf::from(env::var_os("ADCP_TEST_INTEROP_NODE_FOLDER")?);
    Some((python.into(), node.join("node_modules/@adcp/sdk")))
}

fn not_installed() -> Result<(), String> {
    skip("ADCP_TEST_INTEROP_PYTHON or ADCP_TEST_INTEROP_NODE_FOLDER is not set")
}

/// The names of the table, by column: npm, PyPI, ours.
fn names() -> [BTreeSet<String>; 3] {
    let page = fs::read_to_string(root().join("docs/migration.md")).unwrap();
    let (_, table) = page.split_once("## Names\n").unwrap();
    let (table, _) = table.split_once("\n## ").unwrap();
    let rows = table.lines().filter(|line| line.starts_with("| ")).skip(1);
    let mut names: [BTreeSet<String>; 3] = Default::default();
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split('|').collect();
        assert_eq!(cells.len(), 4, "{row}");
        for (names, cell) in names.iter_mut().zip(&cells[1..]) {
            let code = cell.split('`').skip(1).step_by(2);
            names.extend(code.flat_map(words));
        }
    }
    names
}

/// The identifiers of a text.
fn words(text: &str) -> impl Iterator<Item = String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.split(move |c| !is_part(c)).filter(|word| !word.is_empty()).map(str::to_owned)
}

/// The identifiers of all files below a folder whose names end like this. Message types are left
/// out: they are large.
fn words_below(folder: &Path, ending: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "types" {
            found.extend(words_below(&path, ending));
        } else if name.ends_with(ending) {
            found.extend(words(&fs::read_to_string(&path).unwrap()));
        }
    }
    found
}

fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_names_of_the_table_are_those_of_the_packages_and_ours() -> Result<(), String> {
    let Some((python, node)) = packages() else { return not_installed() };
    let [npm, pypi, ours] = names();
    assert!(npm.len() > 20 && pypi.len() > 20 && ours.len() > 30, "{npm:?} {pypi:?} {ours:?}");
    let folder = "import adcp, os; print(os.path.dirname(adcp.__file__))";
    let folder = output(Command::new(python).args(["-c", folder]));
    for (wanted, known) in [
        (npm, words_below(&node.join("dist/lib/signing"), ".d.ts")),
        (pypi, words_below(Path::new(folder.trim()), ".py")),
        (ours, words_below(&root().join("crates"), ".rs")),
    ] {
        let missing: Vec<_> = wanted.difference(&known).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
    Ok(())
}

#[test]
fn a_key_file_of_their_tools_belongs_to_the_jwks_that_they_write() -> Result<(), String> {
    let Some((python, node)) = packages() else { return not_installed() };
    let folder = tempfile::tempdir().unwrap();
    for algorithm in ["ed25519", "es256"] {
        let pem = folder.path().join(format!("python-{algorithm}.pem"));
        let mut keygen = Command::new(python.with_file_name("adcp-keygen"));
        keygen.args(["--alg", algorithm, "--kid", "buyer-2026", "--out"]).arg(&pem);
        assert_belong_together(&pem, &output(&mut keygen));

        let pem = folder.path().join(format!("node-{algorithm}.pem"));
        let mut keygen = Command::new("node");
        keygen.arg(node.join("bin/adcp.js")).args(["signing", "generate-key"]);
        let jwks = folder.path().join("jwks.json");
        keygen.args(["--alg", algorithm, "--kid", "buyer-2026", "--private-out"]).arg(&pem);
        output(keygen.arg("--public-out").arg(&jwks));
        assert_belong_together(&pem, &fs::read_to_string(jwks).unwrap());
    }
    Ok(())
}

fn assert_belong_together(pem: &Path, jwks: &str) {
    let pem = fs::read_to_string(pem).unwrap();
    let key = InMemoryProvider::from_pkcs8_pem(&pem, KeyPurpose::RequestSigning).unwrap();
    let jwks = JwkSet::parse(jwks.as_bytes()).unwrap();
    let published = &jwks.keys()[0];
    assert_eq!(published.kid(), Some("buyer-2026"));
    assert_eq!(published.purpose(), Some(&KeyPurpose::RequestSigning));
    assert_eq!(&published.public_key().unwrap(), key.verifying_key());
}
