//! Key URIs: the one strict parser that every backend reads its own form with, and the writing
//! back.
//!
//! A key URI is `SCHEME:BODY?NAME=VALUE&…`: the scheme picks the backend, the body names the key in
//! the backend's own form, and the query holds options. Every form takes `alg` (an RFC 9421 or JOSE name),
//! `kid` and `purpose` (an `adcp_use` value). Parsing is pure: nothing is opened or called.

use std::borrow::Cow;

use sha2::{Digest as _, Sha256};

use super::{ALGORITHMS, KeyOptions, percent_decode};
use crate::keys::{Algorithm, KeyPurpose, PublicKey};

/// The longest URI read.
const MAX_URI_LEN: usize = 8 * 1024;
/// The longest name of a query member that an error repeats.
const MAX_SHOWN_NAME_LEN: usize = 32;
/// Query members that people put secrets into. A URI ends up in logs, process lists and shell
/// histories.
const SECRETS: [&str; 12] = [
    "token",
    "secret",
    "password",
    "pin",
    "pin-value",
    "passphrase",
    "secret-id",
    "secret_id",
    "client-secret",
    "client_secret",
    "access-key",
    "secret-access-key",
];
/// The query member that pins a key. It is no backend's business: see [`take_pin`].
const PIN: &str = "spki-sha256";

/// Takes the query member `spki-sha256` out of a key URI: the SHA-256 of the key's DER
/// `SubjectPublicKeyInfo`, in hexadecimal. Answers with the URI without it, which is what a backend
/// reads: whoever opens the key has to hold it to the pin.
///
/// # Errors
/// [`KeyUriError::Value`] when it is not 64 hexadecimal digits,
/// [`KeyUriError::DuplicateMember`] when it is given twice.
///
/// ```
/// use adcp_signing_core::provider::toolkit::take_pin;
///
/// let pinned = format!("hashivault://buyer?version=1&spki-sha256={}&kid=buyer-1", "0a".repeat(32));
/// let (uri, pin) = take_pin(&pinned)?;
/// assert_eq!((&*uri, pin), ("hashivault://buyer?version=1&kid=buyer-1", Some([10; 32])));
/// # Ok::<(), adcp_signing_core::provider::toolkit::KeyUriError>(())
/// ```
pub fn take_pin(uri: &str) -> Result<(Cow<'_, str>, Option<[u8; 32]>), KeyUriError> {
    let Some((name, query)) = uri.split_once('?') else { return Ok((uri.into(), None)) };
    let value_of = |member: &str| member.strip_prefix(PIN)?.strip_prefix('=').map(str::to_owned);
    let mut given = query.split('&').filter_map(value_of);
    let Some(value) = given.next() else { return Ok((uri.into(), None)) };
    if given.next().is_some() {
        return Err(KeyUriError::DuplicateMember { name: PIN.to_owned() });
    }
    let refused =
        || KeyUriError::Value { member: PIN, allowed: "a SHA-256 in 64 hexadecimal digits" };
    let mut hash = [0; 32];
    match base16ct::mixed::decode(&value, &mut hash) {
        Ok(decoded) if decoded.len() == 32 => {}
        _ => return Err(refused()),
    }
    let rest: Vec<&str> = query.split('&').filter(|member| value_of(member).is_none()).collect();
    let uri = if rest.is_empty() { name.to_owned() } else { format!("{name}?{}", rest.join("&")) };
    Ok((uri.into(), Some(hash)))
}

/// The key URI with `spki-sha256` of this key, for [`take_pin`] to find. The URI has no pin yet.
///
/// ```
/// use adcp_signing_core::{Algorithm, InMemoryProvider, KeyPurpose, provider::{layers::Pin, toolkit::{add_pin, take_pin}}};
///
/// let key = InMemoryProvider::generate(Algorithm::Ed25519, KeyPurpose::RequestSigning)?;
/// let pinned = add_pin("openbao://buyer?version=1", key.verifying_key());
/// let (uri, pin) = take_pin(&pinned)?;
/// assert_eq!(uri, "openbao://buyer?version=1");
/// let pin = Pin::spki_sha256(pin.ok_or("no pin")?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn add_pin(uri: &str, key: &PublicKey) -> String {
    let hash = base16ct::lower::encode_string(&Sha256::digest(key.to_spki_der()));
    let separator = if uri.contains('?') { '&' } else { '?' };
    format!("{uri}{separator}{PIN}={hash}")
}

/// A key URI taken apart: scheme, body and query members.
///
/// A backend checks the scheme, reads the body, takes the members that it knows, and calls
/// [`finish`](Self::finish), which refuses whatever is left. Each member is given once.
///
/// ```
/// use adcp_signing_core::{provider::toolkit::KeyUriParts, KeyPurpose};
///
/// let mut parts = KeyUriParts::parse("hashivault://buyer?mount=transit%2Feu&alg=ed25519")?;
/// assert_eq!((parts.scheme(), parts.body()), ("hashivault", "//buyer"));
/// assert_eq!(parts.take("mount").as_deref(), Some("transit/eu"));
/// let options = parts.take_common()?;
/// assert_eq!(options.purpose, KeyPurpose::RequestSigning);
/// parts.finish()?;
/// # Ok::<(), adcp_signing_core::provider::toolkit::KeyUriError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyUriParts {
    scheme: String,
    body: String,
    members: Vec<(String, String)>,
    known: Vec<&'static str>,
}

/// Why a text is not a key URI.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyUriError {
    /// Over 8 KiB.
    #[error("a key URI may be 8 KiB long")]
    TooLong,
    /// No scheme, or not one that this form of key URI has.
    #[error("a key URI of this kind starts with {expected}")]
    Scheme {
        /// What it starts with.
        expected: &'static str,
    },
    /// The part between the scheme and the query is not of the scheme's form.
    #[error("write the key URI as {expected}")]
    Body {
        /// The form.
        expected: &'static str,
    },
    /// A percent sign without two hexadecimal digits, bytes that are not UTF-8, a control
    /// character, or a fragment.
    #[error(
        "the key URI is not well percent-encoded; write `%` as %25, `?` as %3F, `#` as %23 and `&` as %26"
    )]
    Encoding,
    /// The query is not made of members with values.
    #[error("write the query of a key URI as `name=value`, several of them joined by `&`")]
    Query,
    /// A query member that this form of key URI does not have.
    #[error("unknown query member `{name}` in the key URI; there are {}", known.join(", "))]
    UnknownMember {
        /// The name, or a placeholder where it does not look like one.
        name: String,
        /// The names there are.
        known: Vec<&'static str>,
    },
    /// A query member given twice.
    #[error("the key URI gives `{name}` twice")]
    DuplicateMember {
        /// The name, or a placeholder where it does not look like one.
        name: String,
    },
    /// A query member that would put a secret into the URI.
    #[error(
        "a key URI holds no secret, and this one has `{name}`; a URI ends up in logs and process lists: take it out, \
         change the secret if it was real, and give it through the environment or a file"
    )]
    Secret {
        /// The query member.
        name: &'static str,
    },
    /// A query member with a value it cannot have.
    #[error("the key URI gives `{member}` a value that is not one of: {allowed}")]
    Value {
        /// The query member.
        member: &'static str,
        /// What is allowed.
        allowed: &'static str,
    },
    /// A pin where nothing holds the key to it.
    #[error(
        "`spki-sha256` pins the key of a URI that `provider_from_uri` opens; take it out here, and pin with \
         `SigningProviderExt::pinned`"
    )]
    Pin,
    /// A query member without which this form of key URI names no key.
    #[error("the key URI needs the query member `{member}`")]
    Missing {
        /// The query member.
        member: &'static str,
    },
}

impl KeyUriParts {
    /// Takes a key URI apart. The body stays as written; the values of the query are
    /// percent-decoded.
    ///
    /// # Errors
    /// [`KeyUriError`], other than the kinds that only a backend can tell.
    pub fn parse(uri: &str) -> Result<Self, KeyUriError> {
        if uri.len() > MAX_URI_LEN {
            return Err(KeyUriError::TooLong);
        }
        let no_scheme = KeyUriError::Scheme { expected: "a scheme such as `awskms:`" };
        let (scheme, rest) =
            uri.split_once(':').filter(|(scheme, _)| is_scheme(scheme)).ok_or(no_scheme)?;
        if rest.contains('#') || rest.contains(|char: char| char.is_ascii_control()) {
            return Err(KeyUriError::Encoding);
        }
        let (body, query) = match rest.split_once('?') {
            Some((body, query)) => (body, Some(query)),
            None => (rest, None),
        };
        let mut parts = Self {
            scheme: scheme.to_owned(),
            body: body.to_owned(),
            members: Vec::new(),
            known: Vec::new(),
        };
        for member in query.into_iter().flat_map(|query| query.split('&')) {
            parts.add(member)?;
        }
        Ok(parts)
    }

    /// The scheme, without its colon.
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// What stands between the scheme's colon and the query, as written: [`percent_decode`] the
    /// pieces of it.
    pub fn body(&self) -> &str {
        &self.body
    }

    /// Takes the percent-decoded value of a query member, and counts its name among the known ones.
    pub fn take(&mut self, name: &'static str) -> Option<String> {
        self.known.push(name);
        let at = self.members.iter().position(|(member, _)| member == name)?;
        Some(self.members.swap_remove(at).1)
    }

    /// Takes a query member whose value may not be empty.
    ///
    /// # Errors
    /// [`KeyUriError::Value`] when it is.
    pub fn take_text(&mut self, name: &'static str) -> Result<Option<String>, KeyUriError> {
        match self.take(name) {
            Some(value) if value.is_empty() => {
                Err(KeyUriError::Value { member: name, allowed: "any text that is not empty" })
            }
            value => Ok(value),
        }
    }

    /// Takes the members that every form has, with `purpose` as `request-signing` where it is not
    /// given.
    ///
    /// # Errors
    /// [`KeyUriError::Value`].
    pub fn take_common(&mut self) -> Result<KeyOptions, KeyUriError> {
        Ok(KeyOptions {
            algorithm: self.take_algorithm()?,
            key_id: self.take_text("kid")?,
            purpose: self.take_purpose()?.unwrap_or(KeyPurpose::RequestSigning),
        })
    }

    /// Takes `alg`.
    pub(crate) fn take_algorithm(&mut self) -> Result<Option<Algorithm>, KeyUriError> {
        let Some(name) = self.take("alg") else { return Ok(None) };
        match Algorithm::from_name(&name) {
            Some(algorithm) => Ok(Some(algorithm)),
            None => Err(KeyUriError::Value { member: "alg", allowed: ALGORITHMS }),
        }
    }

    /// Takes `purpose`, which must be a known one: a misspelt purpose would make a key that no
    /// verifier accepts.
    pub(crate) fn take_purpose(&mut self) -> Result<Option<KeyPurpose>, KeyUriError> {
        let Some(name) = self.take("purpose") else { return Ok(None) };
        match KeyPurpose::from_known(&name) {
            Some(purpose) => Ok(Some(purpose)),
            None => Err(KeyUriError::Value { member: "purpose", allowed: KeyPurpose::KNOWN_NAMES }),
        }
    }

    /// Refuses what is left.
    ///
    /// # Errors
    /// [`KeyUriError::UnknownMember`], naming the members that were asked for.
    pub fn finish(self) -> Result<(), KeyUriError> {
        match self.members.first() {
            None => Ok(()),
            Some((name, _)) if name == PIN => Err(KeyUriError::Pin),
            Some((name, _)) => {
                Err(KeyUriError::UnknownMember { name: shown(name), known: self.known })
            }
        }
    }

    fn add(&mut self, member: &str) -> Result<(), KeyUriError> {
        let (name, value) = member.split_once('=').ok_or(KeyUriError::Query)?;
        if let Some(name) = SECRETS.into_iter().find(|secret| secret.eq_ignore_ascii_case(name)) {
            return Err(KeyUriError::Secret { name });
        }
        if self.members.iter().any(|(earlier, _)| earlier == name) {
            return Err(KeyUriError::DuplicateMember { name: shown(name) });
        }
        self.members.push((name.to_owned(), percent_decode(value)?));
        Ok(())
    }
}

/// RFC 3986 §3.1, in lower case.
fn is_scheme(text: &str) -> bool {
    let rest =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+-.".contains(&byte);
    text.starts_with(|char: char| char.is_ascii_lowercase()) && text.bytes().all(rest)
}

/// A name as an error may repeat it: a secret pasted in the wrong place does not look like one.
fn shown(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphabetic() || b"-_".contains(&byte);
    if !name.is_empty() && name.len() <= MAX_SHOWN_NAME_LEN && name.bytes().all(plain) {
        name.to_owned()
    } else {
        "(not shown)".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use super::*;

    fn read(uri: &str) -> Result<(KeyUriParts, KeyOptions), KeyUriError> {
        let mut parts = KeyUriParts::parse(uri)?;
        let options = parts.take_common()?;
        parts.clone().finish()?;
        Ok((parts, options))
    }

    #[test]
    fn the_body_is_kept_as_written_and_the_query_is_decoded() {
        for (uri, scheme, body, kid) in [
            (
                "awskms:///arn:aws:kms:eu-west-1:1:key/2",
                "awskms",
                "///arn:aws:kms:eu-west-1:1:key/2",
                None,
            ),
            (
                "pkcs11:token=a%20b;object=k?kid=a%26b=c+d",
                "pkcs11",
                "token=a%20b;object=k",
                Some("a&b=c+d"),
            ),
            ("x:", "x", "", None),
        ] {
            let (parts, options) = read(uri).unwrap();
            assert_eq!(
                (parts.scheme(), parts.body(), options.key_id.as_deref()),
                (scheme, body, kid),
                "{uri}"
            );
        }
    }

    #[test]
    fn the_purpose_defaults_to_request_signing_and_options_are_written_as_they_are_read() {
        struct Written<'a>(&'a KeyOptions);
        impl fmt::Display for Written<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("x:")?;
                super::super::write_query(f, self.0.members())
            }
        }
        for (uri, canonical) in [
            ("x:", "x:"),
            ("x:?purpose=request-signing", "x:"),
            ("x:?purpose=webhook-signing", "x:?purpose=webhook-signing"),
            ("x:?kid=%25&alg=rsa-pss-sha512", "x:?alg=rsa-pss-sha512&kid=%25"),
        ] {
            let (_, options) = read(uri).unwrap();
            assert_eq!(Written(&options).to_string(), canonical, "{uri}");
            assert_eq!(read(canonical).unwrap().1, options, "{uri}");
        }
        assert_eq!(read("x:").unwrap().1.purpose, KeyPurpose::RequestSigning);
    }

    #[test]
    fn a_text_that_is_no_key_uri_is_refused_with_the_reason() {
        use KeyUriError as E;

        let known = vec!["alg", "kid", "purpose"];
        let unknown = |name: &str| E::UnknownMember { name: name.to_owned(), known: known.clone() };
        for (uri, expected) in [
            ("x:#f", E::Encoding),
            ("x:a\nb", E::Encoding),
            ("x:?kid=%0a", E::Encoding),
            ("x:?kid=%ff", E::Encoding),
            ("x:?kid=%+4", E::Encoding),
            ("x:?", E::Query),
            ("x:?alg", E::Query),
            ("x:?kid=a&", E::Query),
            ("x:?region=eu", unknown("region")),
            ("x:?s.1a2b=eu", unknown("(not shown)")),
            ("x:?=eu", unknown("(not shown)")),
            ("x:?kid=a&kid=a", E::DuplicateMember { name: "kid".to_owned() }),
            ("x:?kid=", E::Value { member: "kid", allowed: "any text that is not empty" }),
            ("x:?alg=ES384", E::Value { member: "alg", allowed: ALGORITHMS }),
            ("x:?purpose=", E::Value { member: "purpose", allowed: KeyPurpose::KNOWN_NAMES }),
            ("x:?token=t", E::Secret { name: "token" }),
            ("x:?Secret=t", E::Secret { name: "secret" }),
            ("x:?password=t", E::Secret { name: "password" }),
            ("x:?pin=1234", E::Secret { name: "pin" }),
            ("x:?pin-value=1234", E::Secret { name: "pin-value" }),
        ] {
            assert_eq!(read(uri).map(|_| ()), Err(expected), "{uri}");
        }
        for uri in ["", "key", ":", "1x:", "X:", "a b:"] {
            assert!(matches!(read(uri), Err(E::Scheme { .. })), "{uri}");
        }
        assert_eq!(KeyUriParts::parse(&format!("x:{}", "k".repeat(9000))), Err(E::TooLong));
    }

    #[test]
    fn an_algorithm_goes_by_its_rfc_9421_or_jose_name() {
        for (name, algorithm) in [
            ("ed25519", Algorithm::Ed25519),
            ("EdDSA", Algorithm::Ed25519),
            ("ES256", Algorithm::EcdsaP256Sha256),
            ("es256", Algorithm::EcdsaP256Sha256),
        ] {
            let mut parts = KeyUriParts::parse(&format!("x:k?alg={name}")).unwrap();
            assert_eq!(parts.take_common().unwrap().algorithm, Some(algorithm), "{name}");
        }
    }
}
