//! Key URIs with the scheme `gcpkms`.

use std::{fmt, str::FromStr};

use adcp_signing_core::{
    Algorithm, ProviderError,
    provider::{
        Inspection,
        toolkit::{
            CreatedKey, Endpoint, KeyOptions, KeyUriError, KeyUriParts, KeyUriScheme,
            PercentEncoded, percent_decode, write_query,
        },
    },
};

use crate::{GcpKmsConfig, GcpKmsProvider, KeyVersionName};

const FORM: &str =
    "gcpkms://projects/P/locations/L/keyRings/R/cryptoKeys/K/cryptoKeyVersions/N, with the version";
const ENDPOINTS: &str = "https://HOST[:PORT] with a host of Cloud KMS, http:// or https:// on a loopback address; name any other host in \
     ADCP_GCP_KMS_ENDPOINT";

/// The key URI of a key version in Cloud KMS:
/// `gcpkms://projects/P/locations/L/keyRings/R/cryptoKeys/K/cryptoKeyVersions/N`.
///
/// The version is required: an asymmetric key has no primary one. Query members: `endpoint` (a URL;
/// a host of Cloud KMS or of this machine, since the access token goes there), and those of every
/// key URI, `alg`, `kid` and `purpose`.
///
/// `Display` writes the URI, with the resource name in it; `Debug` does not.
///
/// ```
/// use adcp_signing_gcp_kms::GcpKmsUri;
///
/// let uri: GcpKmsUri =
///     "gcpkms://projects/p/locations/europe-west1/keyRings/adcp/cryptoKeys/buyer/cryptoKeyVersions/1?alg=ed25519"
///         .parse()?;
/// assert_eq!(uri.to_string().parse::<GcpKmsUri>()?, uri);
/// # Ok::<(), adcp_signing_core::provider::toolkit::KeyUriError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GcpKmsUri {
    key: KeyVersionName,
    endpoint: Option<Endpoint>,
    options: KeyOptions,
}

impl GcpKmsUri {
    /// What the URI says, as a configuration, with default credentials.
    pub fn config(&self) -> GcpKmsConfig {
        let mut config = GcpKmsConfig::new(self.key.clone(), self.options.clone());
        config.endpoint = self.endpoint.clone();
        config
    }
}

/// `connect` takes the access token of `ADCP_GCP_KMS_ACCESS_TOKEN` where that is set, and default
/// credentials otherwise; and the endpoint of `ADCP_GCP_KMS_ENDPOINT` where that is set and the URI
/// names none.
impl KeyUriScheme for GcpKmsUri {
    const SCHEMES: &'static [&'static str] = &["gcpkms"];
    const EXAMPLES: &'static [&'static str] = &[
        "gcpkms://projects/PROJECT/locations/europe-west1/keyRings/adcp/cryptoKeys/buyer/cryptoKeyVersions/1",
    ];
    type Provider = GcpKmsProvider;

    fn options(&self) -> &KeyOptions {
        &self.options
    }

    fn why_it_can_move(&self) -> Option<&'static str> {
        None
    }

    async fn connect(&self) -> Result<GcpKmsProvider, ProviderError> {
        self.config().with_env_access()?.connect().await
    }

    async fn inspect(provider: &GcpKmsProvider) -> Inspection {
        provider.inspect().await
    }

    async fn create(
        &self,
        algorithm: Option<Algorithm>,
    ) -> Result<CreatedKey<Self>, ProviderError> {
        let made = self.config().with_env_access()?.create_key(algorithm).await?;
        Ok(made.map(|key| Self { key, ..self.clone() }))
    }
}

impl FromStr for GcpKmsUri {
    type Err = KeyUriError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = KeyUriParts::parse(text)?;
        if !Self::SCHEMES.contains(&parts.scheme()) {
            return Err(KeyUriError::Scheme { expected: "`gcpkms:`" });
        }
        let malformed = KeyUriError::Body { expected: FORM };
        let name = parts.body().strip_prefix("//").ok_or(malformed.clone())?;
        let key = percent_decode(name)?.parse().map_err(|_| malformed)?;
        let options = parts.take_common()?;
        let no_endpoint = KeyUriError::Value { member: "endpoint", allowed: ENDPOINTS };
        let endpoint = match parts.take("endpoint").map(|url| url.parse::<Endpoint>()) {
            None => None,
            Some(Ok(endpoint)) if may_get_a_token(&endpoint) => Some(endpoint),
            Some(_) => return Err(no_endpoint),
        };
        parts.finish()?;
        Ok(Self { key, endpoint, options })
    }
}

/// Whether an access token found in the environment may go there on the word of a URI alone.
fn may_get_a_token(endpoint: &Endpoint) -> bool {
    endpoint.is_loopback() || is_cloud_kms(endpoint.host())
}

/// Whether a host is one of Cloud KMS: the global one, a location's (`LOCATION-cloudkms` or
/// `cloudkms.LOCATION.rep`), that of a client certificate (`cloudkms.mtls`), or that of Private
/// Service Connect (`cloudkms-NAME.p`). Others belong to customers: everybody can have a
/// `BUCKET.storage.googleapis.com`.
fn is_cloud_kms(host: &str) -> bool {
    let plain = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let Some(rest) = host.strip_suffix(".googleapis.com") else { return false };
    match *rest.split('.').collect::<Vec<_>>().as_slice() {
        ["cloudkms"] | ["cloudkms", "mtls"] => true,
        [label] => label.strip_suffix("-cloudkms").is_some_and(plain),
        ["cloudkms", location, "rep"] => plain(location),
        [label, "p"] => label.strip_prefix("cloudkms-").is_some_and(plain),
        _ => false,
    }
}

impl fmt::Display for GcpKmsUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "gcpkms://{}", PercentEncoded(self.key.expose()))?;
        let endpoint = [("endpoint", self.endpoint.as_ref().map(Endpoint::as_str))];
        write_query(f, endpoint.into_iter().chain(self.options.members()))
    }
}

#[cfg(test)]
mod tests {
    use adcp_signing_core::KeyPurpose;

    use super::*;

    const NAME: &str =
        "projects/secret-project/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1";

    #[test]
    fn every_form_is_read_and_written_back() {
        for (query, canonical) in [
            ("", ""),
            ("?purpose=request-signing", ""),
            ("?kid=a%26b&alg=ed25519", "?alg=ed25519&kid=a%26b"),
            ("?endpoint=http://127.0.0.1:4589/", "?endpoint=http://127.0.0.1:4589"),
            (
                "?purpose=webhook-signing&endpoint=https%3A%2F%2Fcloudkms.europe-west3.rep.googleapis.com",
                "?endpoint=https://cloudkms.europe-west3.rep.googleapis.com&purpose=webhook-signing",
            ),
        ] {
            let uri: GcpKmsUri = format!("gcpkms://{NAME}{query}").parse().unwrap();
            assert_eq!(uri.to_string(), format!("gcpkms://{NAME}{canonical}"));
            assert_eq!(uri.to_string().parse::<GcpKmsUri>().as_ref(), Ok(&uri));
        }
        let uri: GcpKmsUri =
            format!("gcpkms://{NAME}?alg=ecdsa-p256-sha256&kid=k").parse().unwrap();
        let config = uri.config();
        assert_eq!(config.key.expose(), NAME);
        assert_eq!(config.options.algorithm, Some(Algorithm::EcdsaP256Sha256));
        assert_eq!(config.options.key_id.as_deref(), Some("k"));
        assert_eq!(config.options.purpose, KeyPurpose::RequestSigning);
        assert!(!format!("{uri:?} {config:?}").contains("secret-project"));
    }

    #[test]
    fn what_names_no_key_version_is_refused() {
        let body = KeyUriError::Body { expected: FORM };
        let endpoint = KeyUriError::Value { member: "endpoint", allowed: ENDPOINTS };
        let key = NAME.trim_end_matches("/cryptoKeyVersions/1");
        for (uri, expected) in [
            (format!("gcpkms:{NAME}"), body.clone()),
            (format!("gcpkms:///{NAME}"), body.clone()),
            (format!("gcpkms://{key}"), body.clone()),
            (format!("gcpkms://{key}/cryptoKeyVersions/latest"), body),
            (format!("awskms://{NAME}"), KeyUriError::Scheme { expected: "`gcpkms:`" }),
            (format!("gcpkms://{NAME}?endpoint=https://kms.example"), endpoint.clone()),
            (format!("gcpkms://{NAME}?endpoint=http://cloudkms.googleapis.com"), endpoint.clone()),
            (format!("gcpkms://{NAME}?endpoint="), endpoint),
            (format!("gcpkms://{NAME}?token=t"), KeyUriError::Secret { name: "token" }),
            (
                format!("gcpkms://{NAME}?version=2"),
                KeyUriError::UnknownMember {
                    name: "version".to_owned(),
                    known: vec!["alg", "kid", "purpose", "endpoint"],
                },
            ),
        ] {
            assert_eq!(uri.parse::<GcpKmsUri>(), Err(expected), "{uri}");
        }
    }

    #[test]
    fn only_cloud_kms_and_this_machine_get_a_token_on_the_word_of_a_uri() {
        for (text, expected) in [
            ("https://cloudkms.europe-west3.rep.googleapis.com", true),
            ("https://europe-west3-cloudkms.googleapis.com", true),
            ("https://cloudkms.mtls.googleapis.com", true),
            // What customers of Google have, or that looks alike.
            ("https://bucket.storage.googleapis.com", false),
            ("https://cloudkms.storage.googleapis.com", false),
            ("https://storage.googleapis.com", false),
            ("https://cloudkms..rep.googleapis.com", false),
            ("https://cloudkms-.p.googleapis.com", false),
            ("https://-cloudkms.googleapis.com", false),
            ("https://evil.cloudkms.googleapis.com", false),
            ("https://cloudkms.googleapis.com.", false),
            ("https://cloudkms-psc.p.googleapis.com", true),
            ("https://CLOUDKMS.googleapis.com:443", true),
            ("http://127.0.0.1:4588", true),
            ("https://localhost", true),
            ("https://evil-googleapis.com", false),
            ("https://googleapis.com.evil.example", false),
            ("https://evil.example", false),
        ] {
            assert_eq!(may_get_a_token(&text.parse().unwrap()), expected, "{text}");
        }
    }
}
