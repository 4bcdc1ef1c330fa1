//! Key URIs with the scheme `awskms`.

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

use crate::{AwsKmsConfig, AwsKmsProvider, key_identifier::is_region, service_host::is_aws_kms};

const FORM: &str = "awskms:///KEY-ID, awskms:///arn:…, awskms:///alias/NAME, or awskms://HOST[:PORT]/… with a host of \
                    AWS KMS or of this machine; name any other host in AWS_ENDPOINT_URL_KMS";
const REGIONS: &str = "names of Regions, such as eu-west-1";
const REGION_OF_ARN: &str =
    "the Region of the key's ARN, which need not be repeated; leave `region` out";
const ENDPOINTS: &str = "https://HOST[:PORT] with a host of AWS KMS, http:// or https:// on a loopback address, and one \
                         endpoint only; name any other host in AWS_ENDPOINT_URL_KMS";

/// The key URI of a key in AWS KMS.
///
/// | form | names |
/// |---|---|
/// | `awskms:///KEY-ID` | a key of the caller's account by its ID |
/// | `awskms:///alias/NAME` | a key of the caller's account by an alias |
/// | `awskms:///arn:PARTITION:kms:REGION:ACCOUNT:key/KEY-ID` | a key in any account; the Region is the ARN's |
/// | `awskms:///arn:PARTITION:kms:REGION:ACCOUNT:alias/NAME` | likewise by an alias |
/// | `awskms://HOST[:PORT]/…` | any of them, at `https://HOST[:PORT]` |
///
/// Session token and signed request go to the host, so a URI may name only AWS KMS itself, in any
/// partition (`kms.eu-west-1.amazonaws.com`, `kms-fips.us-east-1.amazonaws.com`,
/// `kms.eu-west-1.api.aws`, `vpce-….kms.eu-west-1.vpce.amazonaws.com`), or this machine. Any other
/// host is for the configuration to name: `AWS_ENDPOINT_URL_KMS`, `endpoint_url` of the profile, or
/// [`AwsKmsConfig::with_endpoint`].
///
/// Query members: `region`, `profile` (of the AWS configuration files), `endpoint` (a URL), and
/// those of every key URI, `alg`, `kid` and `purpose`.
///
/// `Display` writes the URI, with the ARN in it; `Debug` does not.
///
/// ```
/// use adcp_signing_aws_kms::AwsKmsUri;
///
/// let uri: AwsKmsUri = "awskms:///alias/adcp/buyer?alg=ed25519&kid=buyer-1&region=eu-west-1".parse()?;
/// assert_eq!(uri.to_string().parse::<AwsKmsUri>()?, uri);
/// # Ok::<(), adcp_signing_core::provider::toolkit::KeyUriError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsKmsUri(AwsKmsConfig);

impl AwsKmsUri {
    /// What the URI says, as a configuration.
    pub fn config(&self) -> &AwsKmsConfig {
        &self.0
    }
}

impl KeyUriScheme for AwsKmsUri {
    const SCHEMES: &'static [&'static str] = &["awskms"];
    const EXAMPLES: &'static [&'static str] = &[
        "awskms:///1234abcd-12ab-34cd-56ef-1234567890ab?region=eu-west-1",
        "awskms:///alias/adcp/buyer?region=eu-west-1",
        "awskms:///arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
        "awskms://vpce-1a2b3c4d.kms.eu-west-1.vpce.amazonaws.com/alias/adcp/buyer",
    ];
    type Provider = AwsKmsProvider;

    fn options(&self) -> &KeyOptions {
        &self.0.options
    }

    fn why_it_can_move(&self) -> Option<&'static str> {
        self.0.key.is_alias().then_some("an alias can be pointed at another key")
    }

    async fn connect(&self) -> Result<AwsKmsProvider, ProviderError> {
        self.0.connect().await
    }

    async fn inspect(provider: &AwsKmsProvider) -> Inspection {
        provider.inspect().await
    }

    async fn create(
        &self,
        algorithm: Option<Algorithm>,
    ) -> Result<CreatedKey<Self>, ProviderError> {
        let made = self.0.create_key(algorithm).await?;
        // The ARN says the Region.
        Ok(made.map(|key| {
            let mut config = self.0.clone();
            (config.key, config.region) = (key, None);
            Self(config)
        }))
    }
}

impl From<AwsKmsUri> for AwsKmsConfig {
    fn from(uri: AwsKmsUri) -> Self {
        uri.0
    }
}

impl FromStr for AwsKmsUri {
    type Err = KeyUriError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = KeyUriParts::parse(text)?;
        if !Self::SCHEMES.contains(&parts.scheme()) {
            return Err(KeyUriError::Scheme { expected: "`awskms:`" });
        }
        let malformed = KeyUriError::Body { expected: FORM };
        let (authority, key) = parts
            .body()
            .strip_prefix("//")
            .and_then(|rest| rest.split_once('/'))
            .ok_or(malformed.clone())?;
        let key = percent_decode(key)?.parse().map_err(|_| malformed.clone())?;
        let authority = match authority {
            "" => None,
            host => {
                let endpoint: Endpoint =
                    format!("https://{host}").parse().map_err(|_| malformed.clone())?;
                Some(Some(endpoint).filter(may_get_a_request).ok_or(malformed)?)
            }
        };
        let mut config = AwsKmsConfig::new(key, parts.take_common()?);
        config.profile = parts.take_text("profile")?;
        config.region = parts.take("region");
        let no_region = |allowed| KeyUriError::Value { member: "region", allowed };
        if config.region.as_deref().is_some_and(|region| !is_region(region)) {
            return Err(no_region(REGIONS));
        }
        let fits_arn = |region: &str| config.key.region().is_none_or(|of_arn| of_arn == region);
        if !config.region.as_deref().is_none_or(fits_arn) {
            return Err(no_region(REGION_OF_ARN));
        }
        let no_endpoint = KeyUriError::Value { member: "endpoint", allowed: ENDPOINTS };
        let given = parts.take("endpoint");
        config.endpoint = match (authority, given) {
            (Some(_), Some(_)) => return Err(no_endpoint),
            (None, Some(url)) => {
                let endpoint = url.parse().ok().filter(may_get_a_request);
                Some(endpoint.ok_or(no_endpoint)?)
            }
            (endpoint, None) => endpoint,
        };
        parts.finish()?;
        Ok(Self(config))
    }
}

/// Whether session token and signed request may go there on the word of a URI alone.
fn may_get_a_request(endpoint: &Endpoint) -> bool {
    endpoint.is_loopback() || is_aws_kms(endpoint.host())
}

impl fmt::Display for AwsKmsUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let config = &self.0;
        let authority = config.endpoint.as_ref().and_then(Endpoint::https_authority);
        let endpoint =
            config.endpoint.as_ref().filter(|_| authority.is_none()).map(Endpoint::as_str);
        write!(
            f,
            "awskms://{}/{}",
            authority.unwrap_or_default(),
            PercentEncoded(config.key.expose())
        )?;
        let members = [
            ("region", config.region.as_deref()),
            ("profile", config.profile.as_deref()),
            ("endpoint", endpoint),
        ];
        write_query(f, members.into_iter().chain(config.options.members()))
    }
}

#[cfg(test)]
mod tests {
    use adcp_signing_core::KeyPurpose;

    use super::*;

    const ARN: &str = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd";

    #[test]
    fn every_form_is_read_and_written_back() {
        for (text, canonical) in [
            ("awskms:///1234abcd", "awskms:///1234abcd"),
            ("awskms:///alias/adcp/buyer", "awskms:///alias/adcp/buyer"),
            ("awskms:///alias%2Fbuyer", "awskms:///alias/buyer"),
            (
                "awskms:///arn:aws:kms:eu-west-1:111122223333:key/1",
                "awskms:///arn:aws:kms:eu-west-1:111122223333:key/1",
            ),
            (
                "awskms://VPCE-0f1e-ab12.kms.eu-west-1.vpce.amazonaws.com/1234",
                "awskms://vpce-0f1e-ab12.kms.eu-west-1.vpce.amazonaws.com/1234",
            ),
            ("awskms://127.0.0.1:8443/1234", "awskms://127.0.0.1:8443/1234"),
            (
                "awskms:///1234?endpoint=https://kms.us-east-1.api.aws:443/",
                "awskms://kms.us-east-1.api.aws:443/1234",
            ),
            (
                "awskms:///1234?endpoint=http%3A//127.0.0.1:4566",
                "awskms:///1234?endpoint=http://127.0.0.1:4566",
            ),
            (
                "awskms:///1234?kid=a&alg=ed25519&region=eu-west-1&purpose=request-signing&profile=a%20b",
                "awskms:///1234?region=eu-west-1&profile=a%20b&alg=ed25519&kid=a",
            ),
        ] {
            let uri: AwsKmsUri = text.parse().unwrap();
            assert_eq!(uri.to_string(), canonical);
            assert_eq!(canonical.parse::<AwsKmsUri>().unwrap(), uri);
        }
    }

    #[test]
    fn the_members_reach_the_configuration() {
        let text = format!(
            "awskms:///{ARN}?region=eu-west-1&alg=rsa-pss-sha512&kid=k&purpose=webhook-signing"
        );
        let uri: AwsKmsUri = text.parse().unwrap();
        let expected = AwsKmsConfig::new(
            ARN.parse().unwrap(),
            KeyOptions::new(KeyPurpose::WebhookSigning)
                .with_algorithm(Algorithm::RsaPssSha512)
                .with_key_id("k"),
        )
        .with_region("eu-west-1");
        assert_eq!(uri.config(), &expected);
    }

    #[test]
    fn other_texts_are_refused_with_the_reason() {
        use KeyUriError as E;

        let body = E::Body { expected: FORM };
        let region = E::Value { member: "region", allowed: REGIONS };
        let of_arn = E::Value { member: "region", allowed: REGION_OF_ARN };
        let endpoint = E::Value { member: "endpoint", allowed: ENDPOINTS };
        for (text, expected) in [
            ("gcpkms:///k", E::Scheme { expected: "`awskms:`" }),
            ("awskms:k", body.clone()),
            ("awskms://k", body.clone()),
            ("awskms:///", body.clone()),
            ("awskms:///alias/", body.clone()),
            ("awskms:///arn:aws:s3:eu-west-1:111122223333:key/1", body.clone()),
            ("awskms://user@kms.eu-west-1.amazonaws.com/k", body),
            ("awskms:///k?region=", region.clone()),
            ("awskms:///k?region=eu.west", region.clone()),
            ("awskms:///arn:aws:kms:eu-west-1:111122223333:key/1?region=us-east-1", of_arn),
            ("awskms:///k?endpoint=http://kms.eu-west-1.amazonaws.com", endpoint.clone()),
            ("awskms://127.0.0.1/k?endpoint=https://127.0.0.1", endpoint),
            (
                "awskms:///k?profile=",
                E::Value { member: "profile", allowed: "any text that is not empty" },
            ),
            ("awskms:///k?region=a&region=a", E::DuplicateMember { name: "region".to_owned() }),
            (
                "awskms:///k?version=1",
                E::UnknownMember {
                    name: "version".to_owned(),
                    known: vec!["alg", "kid", "purpose", "profile", "region", "endpoint"],
                },
            ),
        ] {
            assert_eq!(text.parse::<AwsKmsUri>(), Err(expected), "{text}");
        }
    }

    /// The host gets session token and signed request, and answers with whatever key it likes.
    #[test]
    fn f10_a_uri_names_no_host_but_aws_kms_and_this_machine() {
        for (host, taken) in [
            ("kms.eu-west-1.amazonaws.com", true),
            ("KMS.EU-West-1.AmazonAWS.com:443", true),
            ("kms-fips.us-east-1.amazonaws.com", true),
            ("localhost:4566", true),
            ("[::1]:4566", true),
            ("evil.example", false),
            ("192.0.2.1", false),
            ("id.execute-api.eu-west-1.amazonaws.com", false),
            ("kms.eu-west-1.amazonaws.com.evil.example", false),
            ("kms.eu-west-1.amazonaws.com@evil.example", false),
            ("kms.eu-west-1.amazonaws.com:443@evil.example", false),
            ("evil.example#kms.eu-west-1.amazonaws.com", false),
            ("evil.example%2f.kms.eu-west-1.amazonaws.com", false),
            ("kms.eu-west-1.amazonaws.com.", false),
            ("kms.eu-west-1。amazonaws.com", false),
            ("kms.eu-west-1.amazonaws.cоm", false),
            ("localhost.", false),
            ("localhost.evil.example", false),
        ] {
            assert_eq!(format!("awskms://{host}/k").parse::<AwsKmsUri>().is_ok(), taken, "{host}");
            let member = format!("awskms:///k?endpoint=https://{}", host.replace('#', "%23"));
            assert_eq!(member.parse::<AwsKmsUri>().is_ok(), taken, "{member}");
        }
        // The configuration may name it: that is the operator's word.
        let key = "alias/a".parse().unwrap();
        let config = AwsKmsConfig::new(key, KeyPurpose::RequestSigning);
        let config = config.with_endpoint("https://kms.internal.example".parse().unwrap());
        assert!(config.endpoint.is_some());
    }

    #[test]
    fn debug_shows_no_account() {
        let uri: AwsKmsUri = format!("awskms:///{ARN}").parse().unwrap();
        assert!(!format!("{uri:?}").contains("111122223333"), "{uri:?}");
    }
}
