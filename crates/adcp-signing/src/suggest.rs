//! What was probably meant by a text that is no key URI.

use std::{collections::BTreeSet, fmt};

/// The longest scheme that an error repeats.
const MAX_SHOWN: usize = 32;
/// How much alike two names have to be, from 0 to 1, for one to be taken for a slip of the other.
const ALIKE: f64 = 0.85;

/// Names that other tools have for these key services.
const OTHER_NAMES: [(&str, &str); 13] = [
    ("aws", "awskms"),
    ("kms", "awskms"),
    ("gcp", "gcpkms"),
    ("google", "gcpkms"),
    ("cloudkms", "gcpkms"),
    ("azure", "azurekms"),
    ("keyvault", "azurekeyvault"),
    ("vault", "hashivault"),
    ("transit", "hashivault"),
    ("bao", "openbao"),
    ("hsm", "pkcs11"),
    ("softhsm", "pkcs11"),
    ("mem", "memory"),
];

/// What was probably meant, as the end of a sentence; empty where nothing is near.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Suggestion(Option<String>);

impl fmt::Display for Suggestion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(meant) => write!(f, "; did you mean {meant}?"),
            None => Ok(()),
        }
    }
}

/// The scheme of a text, where it looks like one: whatever else was pasted is not repeated.
pub(crate) fn shown(uri: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"+-._".contains(&byte);
    match uri.split_once(':') {
        Some((scheme, _))
            if !scheme.is_empty() && scheme.len() <= MAX_SHOWN && scheme.bytes().all(plain) =>
        {
            format!("`{scheme}`")
        }
        _ => "what was given".to_owned(),
    }
}

/// What was probably meant by `uri`, whose scheme is none of `known`.
pub(crate) fn suggest(uri: &str, known: &BTreeSet<&str>) -> Suggestion {
    Suggestion(Some(meant(uri, known)).flatten())
}

fn meant(uri: &str, known: &BTreeSet<&str>) -> Option<String> {
    if uri.starts_with("arn:") && uri.contains(":kms:") {
        return Some("awskms:///arn:…, with the ARN after the three slashes".to_owned());
    }
    if uri.starts_with("alias/") {
        return Some("awskms:///alias/…".to_owned());
    }
    if uri.trim_start_matches('/').starts_with("projects/") || uri.contains("cloudkms.") {
        return Some("gcpkms://projects/…/cryptoKeyVersions/N".to_owned());
    }
    if uri.starts_with("https://") && uri.contains("/keys/") {
        return Some("azurekeyvault://…, with what follows https://".to_owned());
    }
    let Some((scheme, _)) = uri.split_once(':').filter(|(scheme, _)| !scheme.contains('/')) else {
        // Without a scheme it is most likely the path of a file.
        return Some("file:PATH, for a key file".to_owned());
    };
    let plain: String =
        scheme.to_lowercase().chars().filter(|char| char.is_ascii_alphanumeric()).collect();
    let name = known
        .get(plain.as_str())
        .copied()
        .or_else(|| OTHER_NAMES.iter().find(|(other, _)| *other == plain).map(|(_, name)| *name));
    let near = || {
        let likeness = |name: &&str| strsim::jaro_winkler(&plain, name);
        let nearest = known.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
        (likeness(nearest) >= ALIKE).then_some(*nearest)
    };
    let name = name.or_else(near)?;
    let slashes = if matches!(name, "file" | "memory" | "pkcs11") { "" } else { "//" };
    Some(format!("{name}:{slashes}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(uri: &str) -> String {
        let known = ["awskms", "azurekeyvault", "azurekms", "file", "gcpkms", "hashivault"];
        let known = known.into_iter().chain(["memory", "openbao", "pkcs11"]).collect();
        suggest(uri, &known).to_string()
    }

    #[test]
    fn what_people_write_is_led_to_the_form_that_is_wanted() {
        for (uri, meant) in [
            ("arn:aws:kms:eu-west-1:111122223333:key/1234abcd", "awskms:///arn:"),
            ("alias/adcp/buyer", "awskms:///alias/"),
            ("projects/p/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1", "gcpkms://"),
            ("//cloudkms.googleapis.com/v1/projects/p", "gcpkms://"),
            ("https://v.vault.azure.net/keys/buyer/0123", "azurekeyvault://"),
            ("vault://buyer", "hashivault://"),
            ("aws-kms:///alias/buyer", "awskms://"),
            ("AWSKMS:///alias/buyer", "awskms://"),
            ("gcp://projects/p", "gcpkms://"),
            ("hashivalt://buyer", "hashivault://"),
            ("azure-key-vault://v/keys/k", "azurekeyvault://"),
            ("pkcs-11:token=t", "pkcs11:"),
            ("buyer.jwk", "file:PATH"),
            ("/run/secrets/buyer.pem", "file:PATH"),
        ] {
            assert!(
                said(uri).starts_with(&format!("; did you mean {meant}")),
                "{uri}: {}",
                said(uri)
            );
        }
        assert_eq!(said("ipfs:Qm"), "");
    }

    #[test]
    fn what_does_not_look_like_a_scheme_is_not_repeated() {
        assert_eq!(shown("vault://buyer"), "`vault`");
        for text in ["s3cr3t", "-----BEGIN PRIVATE KEY-----", "a b:c", ":", "k\u{e9}y:x"] {
            assert_eq!(shown(text), "what was given", "{text}");
        }
        assert_eq!(shown(&format!("{}:x", "a".repeat(33))), "what was given");
    }
}
