//! Key URIs of PKCS#11: RFC 7512, and the query members that every key URI has.

use std::{fmt, path::Path as FilePath, str::FromStr};

use adcp_signing_core::{
    Algorithm, ProviderError,
    provider::{
        Inspection,
        toolkit::{
            CreatedKey, KeyOptions, KeyUriError, KeyUriParts, KeyUriScheme, percent_decode,
            percent_decode_bytes, write_query,
        },
    },
};

use crate::{
    Pkcs11Config, Pkcs11Provider,
    selector::{KeySelector, Path, TokenSelector, is_plain},
};

const FORM: &str = "`pkcs11:token=LABEL;object=LABEL?module-path=/PATH&pin-source=file:/PATH`";
/// The path attributes that are read, in the order in which they are written.
const ATTRIBUTES: [&str; 8] =
    ["token", "manufacturer", "serial", "model", "slot-id", "object", "id", "type"];
/// No token needs a longer `CKA_ID`.
const MAX_ID_LEN: usize = 256;

/// A PKCS#11 URI (RFC 7512) that names one private key.
///
/// The path takes `token`, `manufacturer`, `serial`, `model` and `slot-id` to select the token, and
/// `object` (the label) or `id`, at least one of them, to select the key; `type`, where it is
/// given, must be `private`. The query takes `module-path` (absolute), `pin-source` (`file:/PATH`,
/// a bare absolute path, or `env:NAME`), and the `alg`, `kid` and `purpose` of every key URI.
/// Anything else is refused, `pin-value` above all: a PIN is never part of a URI.
///
/// ```
/// use adcp_signing_pkcs11::Pkcs11Uri;
///
/// let uri: Pkcs11Uri = "pkcs11:token=adcp;object=req-2026\
///     ?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=file:/run/secrets/pin&alg=ed25519"
///     .parse()?;
/// assert_eq!(uri.to_string().parse::<Pkcs11Uri>()?, uri);
/// assert!("pkcs11:object=k?pin-value=1234".parse::<Pkcs11Uri>().is_err());
/// # Ok::<(), adcp_signing_core::provider::toolkit::KeyUriError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Pkcs11Uri {
    pub(crate) token: TokenSelector,
    pub(crate) key: KeySelector,
    pub(crate) module_path: Option<String>,
    pub(crate) pin_source: Option<UriPinSource>,
    pub(crate) options: KeyOptions,
}

/// The values that `pin-source` has here.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum UriPinSource {
    File(String),
    Env(String),
}

/// What the URI leaves open, `connect` takes from the environment: see
/// [`Pkcs11Config::from_uri`].
impl KeyUriScheme for Pkcs11Uri {
    const SCHEMES: &'static [&'static str] = &["pkcs11"];
    const EXAMPLES: &'static [&'static str] = &[
        "pkcs11:token=adcp;object=buyer?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=file:/run/secrets/pin",
    ];
    type Provider = Pkcs11Provider;

    fn options(&self) -> &KeyOptions {
        &self.options
    }

    fn why_it_can_move(&self) -> Option<&'static str> {
        None
    }

    async fn connect(&self) -> Result<Pkcs11Provider, ProviderError> {
        Pkcs11Config::from_uri(self)?.connect().await
    }

    async fn inspect(provider: &Pkcs11Provider) -> Inspection {
        provider.inspect().await
    }

    async fn create(
        &self,
        algorithm: Option<Algorithm>,
    ) -> Result<CreatedKey<Self>, ProviderError> {
        let made = Pkcs11Config::from_uri(self)?.create_key(algorithm).await?;
        Ok(made.map(|key| Self { key, ..self.clone() }))
    }
}

impl FromStr for Pkcs11Uri {
    type Err = KeyUriError;

    fn from_str(uri: &str) -> Result<Self, Self::Err> {
        let mut parts = KeyUriParts::parse(uri)?;
        if !Self::SCHEMES.contains(&parts.scheme()) {
            return Err(KeyUriError::Scheme { expected: "`pkcs11:`" });
        }
        let (token, key) = read_path(parts.body())?;
        let module_path = parts.take_text("module-path")?;
        if module_path.as_deref().is_some_and(|path| !FilePath::new(path).is_absolute()) {
            // The loader would look for anything else in places that other users may write to.
            return Err(KeyUriError::Value { member: "module-path", allowed: "an absolute path" });
        }
        let pin_source = parts.take_text("pin-source")?.map(|source| source.parse()).transpose()?;
        let options = parts.take_common()?;
        parts.finish()?;
        Ok(Self { token, key, module_path, pin_source, options })
    }
}

fn read_path(path: &str) -> Result<(TokenSelector, KeySelector), KeyUriError> {
    let mut attributes: Vec<(&'static str, &str)> = Vec::new();
    for attribute in path.split(';').filter(|_| !path.is_empty()) {
        let (name, value) =
            attribute.split_once('=').ok_or(KeyUriError::Body { expected: FORM })?;
        let Some(known) = ATTRIBUTES.into_iter().find(|known| *known == name) else {
            return Err(KeyUriError::Body { expected: FORM });
        };
        if attributes.iter().any(|(earlier, _)| *earlier == known) {
            return Err(KeyUriError::DuplicateMember { name: known.to_owned() });
        }
        if value.is_empty() {
            return Err(KeyUriError::Value {
                member: known,
                allowed: "any text that is not empty",
            });
        }
        if !value.bytes().all(|byte| is_plain(byte) || byte == b'%') {
            return Err(KeyUriError::Encoding);
        }
        attributes.push((known, value));
    }
    let value =
        |name: &str| attributes.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
    let text = |name: &str| value(name).map(percent_decode).transpose();
    // The fields of CK_TOKEN_INFO are so long; a longer text never matches.
    let field = |name: &'static str, len: usize, allowed: &'static str| match text(name)? {
        Some(text) if text.len() > len => Err(KeyUriError::Value { member: name, allowed }),
        text => Ok(text),
    };
    let slot_id = match value("slot-id").map(str::parse) {
        None => None,
        Some(Ok(id)) => Some(id),
        Some(Err(_)) => {
            return Err(KeyUriError::Value { member: "slot-id", allowed: "a decimal number" });
        }
    };
    if value("type").is_some_and(|kind| kind != "private") {
        return Err(KeyUriError::Value { member: "type", allowed: "private" });
    }
    let token = TokenSelector {
        label: field("token", 32, "a label of at most 32 bytes")?,
        serial: field("serial", 16, "a serial number of at most 16 bytes")?,
        manufacturer: field("manufacturer", 32, "a name of at most 32 bytes")?,
        model: field("model", 16, "a name of at most 16 bytes")?,
        slot_id,
    };
    let key = KeySelector {
        label: text("object")?,
        id: value("id").map(percent_decode_bytes).transpose()?,
    };
    if key.id.as_ref().is_some_and(|id| id.len() > MAX_ID_LEN) {
        return Err(KeyUriError::Value { member: "id", allowed: "an id of at most 256 bytes" });
    }
    if key.label.is_none() && key.id.is_none() {
        return Err(KeyUriError::Body { expected: FORM });
    }
    Ok((token, key))
}

impl FromStr for UriPinSource {
    type Err = KeyUriError;

    fn from_str(source: &str) -> Result<Self, Self::Err> {
        const ALLOWED: &str = "file:/PATH, /PATH, env:NAME";
        let refused = KeyUriError::Value { member: "pin-source", allowed: ALLOWED };
        if let Some(name) = source.strip_prefix("env:") {
            let is_name = !name.is_empty()
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            return if is_name { Ok(Self::Env(name.to_owned())) } else { Err(refused) };
        }
        let path = source.strip_prefix("file:").unwrap_or(source);
        // `file:///PATH` has an empty host (RFC 8089 §2).
        let path = path.strip_prefix("//").unwrap_or(path);
        if FilePath::new(path).is_absolute() {
            Ok(Self::File(path.to_owned()))
        } else {
            Err(refused)
        }
    }
}

impl fmt::Display for UriPinSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "file:{path}"),
            Self::Env(name) => write!(f, "env:{name}"),
        }
    }
}

impl fmt::Display for Pkcs11Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pkcs11:{}", Path { token: &self.token, key: &self.key })?;
        let pin_source = self.pin_source.as_ref().map(ToString::to_string);
        let members =
            [("module-path", self.module_path.as_deref()), ("pin-source", pin_source.as_deref())];
        write_query(f, members.into_iter().chain(self.options.members()))
    }
}

impl fmt::Debug for Pkcs11Uri {
    /// The names of the token and of the key stay out of logs; `Display` has them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pkcs11Uri")
            .field("key", &crate::selector::key_ref(&self.token, &self.key))
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use adcp_signing_core::KeyPurpose;

    use super::*;

    fn read(uri: &str) -> Result<Pkcs11Uri, KeyUriError> {
        uri.parse()
    }

    #[test]
    fn every_attribute_is_read_and_written_back() {
        let uri = "pkcs11:token=My%20token;manufacturer=SoftHSM%20project;serial=ab12;model=v2;slot-id=7;object=k%2F1;\
                   id=%00%FFa?module-path=/usr/lib/libx.so&pin-source=file:/run/pin&alg=ecdsa-p256-sha256&kid=k1&\
                   purpose=webhook-signing";
        let parsed = read(uri).unwrap();
        assert_eq!(parsed.token.label.as_deref(), Some("My token"));
        assert_eq!(parsed.token.slot_id, Some(7));
        assert_eq!(parsed.key.label.as_deref(), Some("k/1"));
        assert_eq!(parsed.key.id.as_deref(), Some([0, 0xff, b'a'].as_slice()));
        assert_eq!(parsed.options.algorithm, Some(Algorithm::EcdsaP256Sha256));
        assert_eq!(parsed.options.purpose, KeyPurpose::WebhookSigning);
        assert_eq!(parsed.to_string(), uri.replace("FFa", "FF%61"));
    }

    #[test]
    fn what_is_written_reads_back_the_same() {
        for uri in [
            "pkcs11:object=k",
            "pkcs11:id=%01",
            "pkcs11:object=caf%C3%A9%3Bx;type=private",
            "pkcs11:token=t;object=k?pin-source=env:HSM_PIN",
            "pkcs11:token=t;object=k?pin-source=/run/pin",
            "pkcs11:token=t;object=k?pin-source=file:///run/pin%20file",
            "pkcs11:object=k?module-path=/a%26b.so&kid=%25",
        ] {
            let parsed = read(uri).unwrap();
            assert_eq!(read(&parsed.to_string()), Ok(parsed), "{uri}");
        }
    }

    #[test]
    fn anything_else_is_refused_with_the_reason() {
        use KeyUriError as E;

        let value = |member, allowed| E::Value { member, allowed };
        let text = "any text that is not empty";
        let pin = value("pin-source", "file:/PATH, /PATH, env:NAME");
        for (uri, expected) in [
            ("pkcs12:object=k", E::Scheme { expected: "`pkcs11:`" }),
            ("pkcs11:", E::Body { expected: FORM }),
            ("pkcs11:token=t", E::Body { expected: FORM }),
            ("pkcs11:object=k;", E::Body { expected: FORM }),
            ("pkcs11:object", E::Body { expected: FORM }),
            ("pkcs11:object=k;library-version=1", E::Body { expected: FORM }),
            ("pkcs11:object=k;object=l", E::DuplicateMember { name: "object".to_owned() }),
            ("pkcs11:object=", value("object", text)),
            ("pkcs11:object=a b", E::Encoding),
            ("pkcs11:object=a/b", E::Encoding),
            ("pkcs11:object=é", E::Encoding),
            ("pkcs11:object=%ff", E::Encoding),
            ("pkcs11:object=%0a", E::Encoding),
            ("pkcs11:id=%0", E::Encoding),
            ("pkcs11:object=k;type=public", value("type", "private")),
            ("pkcs11:object=k;slot-id=0x1", value("slot-id", "a decimal number")),
            (
                "pkcs11:object=k;token=abcdefghijabcdefghijabcdefghijabc",
                value("token", "a label of at most 32 bytes"),
            ),
            ("pkcs11:object=k?pin-value=1234", E::Secret { name: "pin-value" }),
            ("pkcs11:object=k?pin-source=|/bin/cat", pin.clone()),
            ("pkcs11:object=k?pin-source=pin.txt", pin.clone()),
            ("pkcs11:object=k?pin-source=env:", pin),
            ("pkcs11:object=k?module-path=libx.so", value("module-path", "an absolute path")),
            (
                "pkcs11:object=k?alg=rsa",
                value("alg", "ed25519 (EdDSA), ecdsa-p256-sha256 (ES256), rsa-pss-sha512 (PS512)"),
            ),
            ("pkcs11:object=k?kid=", value("kid", text)),
        ] {
            assert_eq!(read(uri).map(|uri| uri.to_string()), Err(expected), "{uri}");
        }
        let unknown = read("pkcs11:object=k?module-name=softhsm2").unwrap_err();
        assert_eq!(
            unknown.to_string(),
            "unknown query member `module-name` in the key URI; there are module-path, pin-source, alg, kid, purpose"
        );
    }

    #[test]
    fn debug_names_neither_token_nor_key() {
        let shown =
            format!("{:?}", read("pkcs11:token=acme;object=buyer-key?pin-source=env:P").unwrap());
        assert!(!shown.contains("acme") && !shown.contains("buyer-key"), "{shown}");
    }
}
