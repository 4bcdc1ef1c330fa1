//! Where credentials come from, and what it means that there are none.
//!
//! The SDK tells most of its sources' failures as texts, which hold role ARNs, paths and what a
//! process wrote to standard error. They are looked at and never repeated; a test of each holds
//! them to the SDK's wording.

use std::{error::Error as StdError, io, time::SystemTime};

use adcp_signing_core::{
    ProviderError, ProviderErrorKind as Kind, provider::toolkit::ServiceAnswer,
};
use aws_config::{
    BehaviorVersion, Region, SdkConfig,
    default_provider::credentials::DefaultCredentialsChain,
    imds::{self, client::error::ImdsError},
    profile::ProfileFileCredentialsProvider,
    provider_config::ProviderConfig,
};
use aws_credential_types::Credentials;
use aws_credential_types::provider::{
    ProvideCredentials, SharedCredentialsProvider,
    error::{CredentialsError, TokenError},
    future,
};
use aws_sdk_kms::{
    config::{http::HttpResponse, retry::RetryConfig, timeout::TimeoutConfig},
    error::{ConnectorError, ProvideErrorMetadata, SdkError},
};
use aws_sdk_sts::operation::{
    assume_role::AssumeRoleError, assume_role_with_web_identity::AssumeRoleWithWebIdentityError,
};

use crate::failure::{self, Chain, NetworkFault, answer, pause_of};

/// The longest name of a profile that is shown.
const MAX_PROFILE_LEN: usize = 64;

/// The source of credentials: the named profile alone, whatever the environment holds; else where
/// every AWS client finds them. Each of its calls is made once, and within `timeouts`.
pub(crate) async fn source(
    profile: Option<&str>,
    region: Region,
    shared: &SdkConfig,
    timeouts: TimeoutConfig,
) -> SharedCredentialsProvider {
    let config = ProviderConfig::without_region()
        .with_region(Some(region.clone()))
        .with_behavior_version(Some(BehaviorVersion::v2026_01_12()))
        .with_use_fips(shared.use_fips())
        .with_use_dual_stack(shared.use_dual_stack())
        .with_retry_config(RetryConfig::disabled())
        .with_timeout_config(timeouts);
    match profile {
        Some(profile) => SharedCredentialsProvider::new(Checked {
            source: ProfileFileCredentialsProvider::builder()
                .configure(&config)
                .profile_name(profile)
                .build(),
            profile: Some(profile.to_owned()),
        }),
        None => {
            let metadata = imds::Client::builder().configure(&config).max_attempts(1).build();
            let chain = DefaultCredentialsChain::builder()
                .region(region)
                .imds_client(metadata)
                .configure(config);
            let source = chain.build().await;
            SharedCredentialsProvider::new(Checked { source, profile: None })
        }
    }
}

/// Credentials that have not expired, which those of a `credential_process` may have; and the name
/// of the profile where it has none.
#[derive(Debug)]
struct Checked<P> {
    source: P,
    profile: Option<String>,
}

/// The credentials that a source gave had expired.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the credentials have expired")]
struct Expired;

/// The profile that was named has no credentials.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the profile has no credentials")]
struct NotInProfile {
    profile: String,
}

impl<P: ProvideCredentials> ProvideCredentials for Checked<P> {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            match (self.source.provide_credentials().await, &self.profile) {
                (Ok(found), _) if found.expiry().is_some_and(|end| end <= SystemTime::now()) => {
                    Err(CredentialsError::provider_error(Expired))
                }
                // With a source it says more than that.
                (Err(error @ CredentialsError::CredentialsNotLoaded(_)), Some(profile))
                    if error.source().is_none() =>
                {
                    Err(CredentialsError::not_loaded(NotInProfile { profile: profile.clone() }))
                }
                (outcome, _) => outcome,
            }
        })
    }

    fn fallback_on_interrupt(&self) -> Option<Credentials> {
        self.source.fallback_on_interrupt()
    }
}

const NONE: &str =
    "no AWS credentials were found; set a role, a profile or the AWS_ variables for this process";
const CONFIGURED_WRONG: &str =
    "the AWS credentials are configured wrong; check the profile and the AWS_ variables";
const EXPIRED: &str = "the source of the AWS credentials gave a session that has expired; renew it, and check this machine's clock";
const PROCESS: &str = "the credential_process of the AWS profile (~/.aws/config, or AWS_CONFIG_FILE) failed; run its command by \
                       hand, as the user of this process";
const PROCESS_OUTPUT: &str = "the credential_process of the AWS profile (~/.aws/config, or AWS_CONFIG_FILE) printed no \
                              credentials; it must print JSON with Version 1, AccessKeyId and SecretAccessKey";
const SSO_LOGIN: &str =
    "the AWS profile has no valid session of IAM Identity Center; run `aws sso login`";
const CONSOLE_LOGIN: &str = "the AWS profile has no valid login session; run `aws login`";
const WITHOUT_SSO: &str = "the AWS profile signs in through IAM Identity Center, which this build leaves out; build with the \
                           feature `aws-kms-sso` of adcp-signing or adcp-signing-cli (`sso` of adcp-signing-aws-kms)";
const WITHOUT_LOGIN: &str = "the AWS profile signs in through `aws login`, which this build leaves out; build with the \
                             feature `aws-kms-login` of adcp-signing or adcp-signing-cli (`credentials-login` of \
                             adcp-signing-aws-kms)";
const TOKEN_FILE: &str = "the file with the web identity token cannot be read; check AWS_WEB_IDENTITY_TOKEN_FILE or the \
                          profile's web_identity_token_file";
const ASSUME: &str = "AWS STS does not let these credentials assume the role; allow sts:AssumeRole to the caller, and the \
                      caller in the role's trust policy";
const IDENTITY: &str = "AWS STS refused the web identity token; check its audience and issuer in the role's trust policy";
const RENEW_TOKEN: &str = "the web identity token has expired; see what renews its file (AWS_WEB_IDENTITY_TOKEN_FILE, or the \
                           profile's web_identity_token_file), and check this machine's clock";
const RENEW_SESSION: &str = "the session by which the role is assumed has expired; renew it, or use a source that the SDK renews \
                             itself";
const STS_REGION: &str = "AWS STS is not activated in the Region for this account; activate it, or use another Region (`region=`, AWS_REGION)";
const SSO_ROLE: &str = "IAM Identity Center does not give this session the account and role of the profile; check \
                        sso_account_id and sso_role_name, and the assignment";
const METADATA_DENIED: &str = "the metadata service refused to give out credentials; check the instance, container or \
                               pod role";
pub(crate) const SLOW: &str = "the source of the AWS credentials did not answer in time; check the network path to AWS STS, or to what the profile \
                               names";
const UNREACHABLE: &str = "the source of the AWS credentials could not be reached; check the network path to AWS STS, or to what the profile names";
const TLS: &str =
    "no TLS connection to the source of the AWS credentials; check the root certificates here";
const FAILED: &str = "the source of the AWS credentials failed for now; try again";
const BUSY: &str = "the source of the AWS credentials is asked too often; try again";
const UNKNOWN: &str = "the source of the AWS credentials failed in a way that is not known here; check it with \
                       `aws sts get-caller-identity`";

/// What the SDK says, and what it means. The first that fits counts.
const TEXTS: [(&str, Kind, &str); 9] = [
    ("external process exited", Kind::AccessDenied, PROCESS),
    ("could not parse response", Kind::Configuration, PROCESS_OUTPUT),
    ("could not decode output", Kind::Configuration, PROCESS_OUTPUT),
    ("external process", Kind::Configuration, PROCESS),
    ("enabled: sso", Kind::Configuration, WITHOUT_SSO),
    ("enabled: credentials-login", Kind::Configuration, WITHOUT_LOGIN),
    ("SSO token", Kind::AccessDenied, SSO_LOGIN),
    ("Login token", Kind::AccessDenied, CONSOLE_LOGIN),
    ("/.aws/login/cache/", Kind::AccessDenied, CONSOLE_LOGIN),
];

/// Why there are no credentials, by what failed: the innermost cause that is known.
pub(crate) fn failure(error: &CredentialsError) -> ProviderError {
    let chain = || Chain::of(error);
    if let Some(error) = of_service(&chain) {
        return error;
    }
    let connector = chain().find_map(|link| link.downcast_ref::<ConnectorError>());
    if let Some(fault) = connector.and_then(failure::network_fault) {
        let message = match fault {
            NetworkFault::TimedOut => SLOW,
            NetworkFault::NotHttp(_) => FAILED,
            NetworkFault::Tls(_) => TLS,
            NetworkFault::Unreachable(_) => UNREACHABLE,
        };
        return fault.into_error(message);
    }
    let (kind, message) = meaning(error, &chain);
    let error = ProviderError::new(kind, message);
    match chain().find_map(|link| link.downcast_ref::<io::Error>()) {
        // The kind alone: the text can hold a path.
        Some(io) => error.with_source(io::Error::from(io.kind())),
        None => error,
    }
}

type Message = std::borrow::Cow<'static, str>;

fn meaning<'a>(error: &CredentialsError, chain: &impl Fn() -> Chain<'a>) -> (Kind, Message) {
    if chain().any(|link| link.is::<Expired>()) {
        return (Kind::AccessDenied, EXPIRED.into());
    }
    if let Some(NotInProfile { profile }) = chain().find_map(|link| link.downcast_ref()) {
        let name = shown_profile(profile);
        let message = format!(
            "the AWS profile{name} holds no credentials, or there is none of that name in the AWS configuration files \
             (~/.aws/config, or AWS_CONFIG_FILE)"
        );
        return (Kind::Configuration, message.into());
    }
    let texts: Vec<String> = chain().map(|link| link.to_string()).collect();
    let says = |part: &str| texts.iter().any(|text| text.contains(part));
    if let Some((_, kind, message)) = TEXTS.iter().find(|(part, ..)| says(part)) {
        return (*kind, (*message).into());
    }
    if chain().any(|link| link.is::<TokenError>()) {
        return (Kind::AccessDenied, SSO_LOGIN.into());
    }
    if let Some(message) = texts.iter().find_map(|text| missing_profile(text)) {
        return (Kind::Configuration, message.into());
    }
    if let Some(refused) = of_metadata(chain) {
        return refused;
    }
    if chain().any(|link| link.is::<io::Error>()) {
        return (Kind::Configuration, TOKEN_FILE.into());
    }
    let innermost = chain().filter_map(|link| link.downcast_ref::<CredentialsError>()).last();
    match innermost.unwrap_or(error) {
        CredentialsError::CredentialsNotLoaded(_) => (Kind::Configuration, NONE.into()),
        CredentialsError::InvalidConfiguration(_) => (Kind::Configuration, CONFIGURED_WRONG.into()),
        CredentialsError::ProviderTimedOut(_) => (Kind::Timeout, SLOW.into()),
        _ => (Kind::Unavailable, UNKNOWN.into()),
    }
}

/// The refusal of STS or of IAM Identity Center.
fn of_service<'a>(chain: &impl Fn() -> Chain<'a>) -> Option<ProviderError> {
    const STS: &str = "AWS STS";

    answered::<AssumeRoleError>(STS, RENEW_SESSION, chain)
        .or_else(|| answered::<AssumeRoleWithWebIdentityError>(STS, RENEW_TOKEN, chain))
        .or_else(|| of_identity_center(chain))
}

#[cfg(feature = "sso")]
fn of_identity_center<'a>(chain: &impl Fn() -> Chain<'a>) -> Option<ProviderError> {
    use aws_sdk_sso::operation::get_role_credentials::GetRoleCredentialsError;

    answered::<GetRoleCredentialsError>("AWS IAM Identity Center", SSO_LOGIN, chain)
}

#[cfg(not(feature = "sso"))]
fn of_identity_center<'a>(_: &impl Fn() -> Chain<'a>) -> Option<ProviderError> {
    None
}

/// The answer of a service that gives out credentials, and what to do where it finds expired what it
/// was given for them.
fn answered<'a, E>(
    service: &'static str,
    expired: &'static str,
    chain: &impl Fn() -> Chain<'a>,
) -> Option<ProviderError>
where
    E: ProvideErrorMetadata + StdError + 'static,
{
    let failed = chain().find_map(|link| link.downcast_ref::<SdkError<E, HttpResponse>>())?;
    let (code, response) = match failed {
        SdkError::ServiceError(answered) => (answered.err().code(), answered.raw()),
        SdkError::ResponseError(broken) => (None, broken.raw()),
        SdkError::TimeoutError(_) => return Some(ProviderError::new(Kind::Timeout, SLOW)),
        _ => return None,
    };
    let (kind, advice) = match code {
        Some("AccessDenied" | "AccessDeniedException") => (Kind::AccessDenied, ASSUME),
        Some("InvalidIdentityToken" | "IDPRejectedClaim") => (Kind::AccessDenied, IDENTITY),
        Some("ExpiredTokenException" | "ExpiredToken") => (Kind::AccessDenied, expired),
        Some("IDPCommunicationError") => (Kind::Unavailable, FAILED),
        Some("RegionDisabledException") => (Kind::Configuration, STS_REGION),
        // Of IAM Identity Center.
        Some("UnauthorizedException") => (Kind::AccessDenied, SSO_LOGIN),
        Some("ForbiddenException" | "ResourceNotFoundException") => (Kind::AccessDenied, SSO_ROLE),
        // What all services of AWS have; the advice is for AWS KMS, but where it is about keys and
        // sessions.
        code => match failure::meaning(code, response.status().as_u16()) {
            (kind, advice) if failure::is_about_credentials(advice) => (kind, advice),
            (Kind::AccessDenied, _) => (Kind::AccessDenied, ASSUME),
            (Kind::Throttled, _) => (Kind::Throttled, BUSY),
            (kind @ (Kind::Unavailable | Kind::Timeout), _) => (kind, FAILED),
            _ => (Kind::Configuration, CONFIGURED_WRONG),
        },
    };
    let advice = failure::with_clock(advice, response);
    let answer: ServiceAnswer = answer(service, code, response);
    let message = match answer.code() {
        Some(code) => format!("{code}: {advice}"),
        None => advice.into_owned(),
    };
    Some(answer.into_error(kind, message, pause_of(response)))
}

/// The refusal of the metadata service of an instance, container or pod.
fn of_metadata<'a>(chain: &impl Fn() -> Chain<'a>) -> Option<(Kind, Message)> {
    let status = chain().find_map(|link| match link.downcast_ref::<ImdsError>() {
        Some(ImdsError::ErrorResponse(answered)) => Some(answered.response().status().as_u16()),
        _ => {
            let text = link.to_string();
            let (_, status) = text.split_once("from HTTP credential provider: StatusCode(")?;
            status.split(')').next()?.parse().ok()
        }
    })?;
    Some(match status {
        400..=407 | 410..=428 => (Kind::AccessDenied, METADATA_DENIED.into()),
        _ => (Kind::Unavailable, FAILED.into()),
    })
}

/// What the SDK says of a profile that is not there. The name is one of the operator's own files.
fn missing_profile(text: &str) -> Option<String> {
    let (before, _) = text.split_once("` was not defined")?;
    let name = before.rsplit_once('`').map_or(before, |(_, name)| name);
    Some(format!(
        "there is no AWS profile{} in the AWS configuration files (~/.aws/config, or AWS_CONFIG_FILE)",
        shown_profile(name)
    ))
}

/// The name of a profile, where it is fit to be shown.
fn shown_profile(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
    match (1..=MAX_PROFILE_LEN).contains(&name.len()) && name.bytes().all(plain) {
        true => format!(" `{name}`"),
        false => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the SDK writes it in a build without the feature; with it, profiles are tested for real.
    #[test]
    fn a_profile_that_needs_a_feature_names_the_one_to_build_with() {
        for (feature, named) in [("sso", "aws-kms-sso"), ("credentials-login", "aws-kms-login")] {
            let text = format!(
                "ProfileFile provider could not be built: This behavior requires following cargo feature(s) enabled: \
                 {feature}. "
            );
            let error = failure(&CredentialsError::invalid_configuration(text));
            assert_eq!(error.kind(), Kind::Configuration);
            assert!(error.to_string().contains(&format!("`{named}`")), "{error}");
        }
    }

    #[test]
    fn a_name_that_is_not_fit_to_be_shown_is_left_out() {
        for (name, shown) in [("prod", " `prod`"), ("a\u{1b}[2K", ""), ("", ""), ("é", "")] {
            assert_eq!(shown_profile(name), shown, "{name}");
        }
    }
}
