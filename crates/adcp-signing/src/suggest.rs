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

/// The scheme and form of what a text names without a scheme of its own.
fn named(uri: &str) -> Option<&'static str> {
    let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| uri.starts_with(prefix));
    if uri.starts_with('{') || uri.contains("-----BEGIN") {
        return Some("file:PATH, with the key in that file and not in the URI");
    }
    if is_uuid(uri) || starts(&["mrk-"]) {
        return Some("awskms:///KEY-ID");
    }
    if uri.contains("/cryptoKeys/") {
        return Some("gcpkms://projects/…/cryptoKeyVersions/N");
    }
    if uri.contains(".vault.azure.net") || uri.contains(".managedhsm.azure.net") {
        return Some("azurekeyvault://HOST/keys/KEY/VERSION");
    }
    if starts(&["transit/"]) || uri.contains("/transit/") {
        return Some(
            "hashivault://KEY or openbao://KEY, with the address in the environment and ?mount= for \
             another engine than transit",
        );
    }
    if starts(&["token=", "object=", "slot-id="]) {
        return Some("pkcs11:token=LABEL;object=LABEL");
    }
    match uri.as_bytes() {
        // A drive of Windows, or no scheme at all.
        [letter, b':', b'\\' | b'/', ..] if letter.is_ascii_alphabetic() => {
            Some("file:PATH, for a key file")
        }
        _ if !uri.contains(':') && uri.contains(['/', '\\', '.']) => {
            Some("file:PATH, for a key file")
        }
        _ if !uri.contains(':') => {
            Some("file:PATH, for a key file, or SCHEME://KEY, for a key of a service")
        }
        _ => None,
    }
}

/// `1234abcd-12ab-34cd-56ef-1234567890ab`.
fn is_uuid(text: &str) -> bool {
    text.split('-').map(str::len).eq([8, 4, 4, 4, 12])
        && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

fn meant(uri: &str, known: &BTreeSet<&str>) -> Option<String> {
    let uri = uri.trim();
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
    if let Some(form) = named(uri) {
        return Some(form.to_owned());
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
            ("1234abcd-12ab-34cd-56ef-1234567890ab", "awskms:///KEY-ID"),
            ("mrk-1234abcd12ab34cd56ef1234567890ab", "awskms:///KEY-ID"),
            ("locations/l/keyRings/r/cryptoKeys/k", "gcpkms://projects/"),
            ("v.vault.azure.net/keys/buyer", "azurekeyvault://HOST/keys/KEY"),
            ("https://v.managedhsm.azure.net/buyer", "azurekeyvault://HOST/keys/KEY"),
            ("transit/keys/buyer", "hashivault://KEY or openbao://KEY"),
            ("https://vault.example:8200/v1/transit/sign/buyer", "hashivault://KEY"),
            ("token=hsm;object=buyer", "pkcs11:token="),
            ("C:\\keys\\buyer.pem", "file:PATH, for a key file?"),
            ("{\"kty\":\"OKP\"}", "file:PATH, with the key in that file and not in the URI"),
            ("-----BEGIN PRIVATE KEY-----", "file:PATH, with the key in that file"),
            ("buyer", "file:PATH, for a key file, or SCHEME://KEY"),
            (" alias/adcp\n", "awskms:///alias/"),
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
