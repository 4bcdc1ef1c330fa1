//! Every error of the kind `configuration` names what to change: a variable, a member of the key
//! URI, a setter, a file or a build feature.
//!
//! The messages are read from the sources, so that one that no test provokes is looked at too.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// A message of the kind `configuration` in a source file.
#[derive(Debug)]
struct Found {
    place: String,
    /// The text, or the expression where it is not a literal or a constant.
    message: Result<String, String>,
}

/// What a crate's users set, and which messages need not name any of it, with the reason.
struct Family {
    variables: &'static [&'static str],
    exempt: &'static [(&'static str, &'static str)],
}

/// A message is handed on that another row of this test looks at, or that a caller of the toolkit
/// writes.
const HANDED_ON: &str = "the text is looked at where it is written";
/// No setting helps: the program passed it, or this crate has a bug.
const PROGRAM: &str = "nothing that is set brings it about";

const AWS_KMS: Family = Family {
    variables: &["ADCP_AWS_KMS_", "AWS_"],
    exempt: &[
        ("AWS KMS does not sign an empty message", PROGRAM),
        // Of `missing_profile` and of the profile that holds no credentials.
        ("message", HANDED_ON),
    ],
};
const GCP_KMS: Family = Family {
    variables: &["ADCP_GCP_KMS_", "GOOGLE_"],
    exempt: &[("Cloud KMS signs no empty message", PROGRAM), ("message", HANDED_ON)],
};
const AZURE_KEY_VAULT: Family = Family {
    variables: &["ADCP_AZURE_KEY_VAULT_", "AZURE_", "SSL_CERT_FILE"],
    exempt: &[
        ("the request to Azure Key Vault could not be built", PROGRAM),
        ("message", HANDED_ON),
    ],
};
const VAULT_TRANSIT: Family = Family {
    // `{setting}` and `({})` are the variable of the family in use: see `Settings`. A ready client
    // is built with functions of `vaultrs`.
    variables: &[
        "VAULT_",
        "BAO_",
        "{family}_",
        "{setting}",
        "({})",
        "client with another `proxy`",
        "build it with `",
    ],
    exempt: &[
        ("no call of this crate has another method", PROGRAM),
        ("the call could not be written as JSON", PROGRAM),
        // The name of the setting is added where the caller's settings are known.
        ("the server has no such namespace", HANDED_ON),
        ("the server does not take the request", HANDED_ON),
        ("message", HANDED_ON),
    ],
};
const PKCS11: Family = Family {
    variables: &["ADCP_PKCS11_", "the variable {name}", "the {FILE}"],
    exempt: &[
        ("this process is logged in to the token as another user", PROGRAM),
        ("this process was forked", PROGRAM),
        ("message", HANDED_ON),
    ],
};
const CORE: Family = Family {
    // `{}` is a variable in full. A local key is a file or a JWK, and these are its members.
    variables: &[
        "{} is",
        "`alg`",
        "`kid`",
        "`purpose`",
        "`adcp_use`",
        "key file",
        "key URI",
        "--allow-in-process-keys",
    ],
    exempt: &[
        // The caller has the key, and the cause says what is wrong with it.
        ("the key is refused", PROGRAM),
        ("the private JWK is refused", PROGRAM),
        ("a failover needs 1 to 15 replicas", PROGRAM),
        // The cure is another tool.
        ("this backend makes no keys", PROGRAM),
        ("message", HANDED_ON),
        // The text names the file, by what the caller calls it.
        ("error", HANDED_ON),
        // All texts there are about "the key file".
        ("found", HANDED_ON),
        // A kind alone, by status.
        ("_", HANDED_ON),
    ],
};

#[test]
fn aws_kms() {
    check("adcp-signing-aws-kms", &AWS_KMS);
}

#[test]
fn gcp_kms() {
    check("adcp-signing-gcp-kms", &GCP_KMS);
}

#[test]
fn azure_key_vault() {
    check("adcp-signing-azure-key-vault", &AZURE_KEY_VAULT);
}

#[test]
fn vault_transit() {
    check("adcp-signing-vault-transit", &VAULT_TRANSIT);
}

#[test]
fn pkcs11() {
    check("adcp-signing-pkcs11", &PKCS11);
}

#[test]
fn core() {
    check("adcp-signing-core", &CORE);
}

fn check(name: &str, family: &Family) {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name).join("src");
    let found = messages(&sources);
    assert!(found.len() > 3, "{name} has {} messages, so they are not found", found.len());
    let is = |part: &str, found: &Found| match &found.message {
        Ok(text) => text.contains(part),
        Err(expression) => expression == part,
    };
    let unused: Vec<_> = family
        .exempt
        .iter()
        .filter(|(part, _)| !found.iter().any(|found| is(part, found)))
        .collect();
    let silent: Vec<_> = found
        .iter()
        .filter(|found| !family.exempt.iter().any(|(part, _)| is(part, found)))
        .filter(|found| {
            !found.message.as_ref().is_ok_and(|text| names_a_setting(text, family.variables))
        })
        .map(|Found { place, message }| format!("{place}: {message:?}"))
        .collect();
    assert!(unused.is_empty(), "{name}: exempt, but not there: {unused:#?}");
    assert!(silent.is_empty(), "{name}: these name nothing to change: {silent:#?}");
}

/// Whether the text names a variable of the family, a member of a key URI (`member=`) or what else
/// stands in it, a setter, a file of the user's home or a build feature.
fn names_a_setting(text: &str, variables: &[&str]) -> bool {
    let names_member = || {
        text.match_indices('=').any(|(at, _)| {
            text.get(..at)
                .and_then(|before| before.chars().next_back())
                .is_some_and(|before| before.is_ascii_lowercase() || before.is_ascii_digit())
        })
    };
    variables.iter().any(|prefix| text.contains(prefix))
        || names_member()
        || ["with_", "allow_", "~/", "feature `", "in the key URI", "of the key URI"]
            .iter()
            .any(|part| text.contains(part))
}

fn messages(folder: &Path) -> Vec<Found> {
    let sources: Vec<_> = sources(folder)
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
            let code: Vec<_> = code
                .lines()
                .map(|line| if line.trim_start().starts_with("//") { "" } else { line })
                .collect();
            let file = path.strip_prefix(folder).unwrap().display().to_string();
            (file, code.join("\n"))
        })
        .collect();
    let constants: BTreeMap<_, _> = sources.iter().flat_map(|(_, code)| constants(code)).collect();
    let mut found = Vec::new();
    for (file, code) in &sources {
        for marker in
            ["configuration(", "misconfigured(", "Kind::Configuration,", "Kind::Configuration =>"]
        {
            for (at, _) in code.match_indices(marker) {
                let (before, rest) = code.split_at(at);
                let defined = before.ends_with("fn ");
                let longer = before.ends_with(|c: char| c.is_alphanumeric() || c == '_')
                    && marker.ends_with('(');
                if defined || longer {
                    continue;
                }
                let line = before.lines().count();
                let message = message(rest.strip_prefix(marker).unwrap(), &constants);
                found.push(Found { place: format!("{file}:{line}"), message });
            }
        }
    }
    found
}

fn message(code: &str, constants: &BTreeMap<String, String>) -> Result<String, String> {
    let code = code.trim_start_matches(|c: char| c.is_whitespace() || c == '{' || c == '(');
    let code = code.strip_prefix("format!(").unwrap_or(code).trim_start();
    if let Some(text) = literal(code) {
        return Ok(text);
    }
    let expression: String =
        code.chars().take_while(|c| c.is_alphanumeric() || "_:".contains(*c)).collect();
    let name = expression.rsplit("::").next().unwrap_or_default();
    constants.get(name).cloned().ok_or(expression)
}

fn constants(code: &str) -> Vec<(String, String)> {
    code.split("const ")
        .skip(1)
        .filter_map(|rest| {
            let (name, rest) = rest.split_once(": &str =")?;
            Some((name.to_owned(), literal(rest.trim_start())?))
        })
        .collect()
}

/// The string literal that the code starts with, without its escapes.
fn literal(code: &str) -> Option<String> {
    let mut text = String::new();
    let mut rest = code.strip_prefix('"')?.chars().peekable();
    loop {
        match rest.next()? {
            '"' => return Some(text),
            '\\' => match rest.next()? {
                '\n' => while rest.next_if(|c| c.is_whitespace()).is_some() {},
                escaped => text.push(escaped),
            },
            c => text.push(c),
        }
    }
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|kind| kind == "rs")
            && !path.file_stem().is_some_and(|stem| stem.to_string_lossy().ends_with("tests"))
        {
            files.push(path);
        }
    }
    files
}
