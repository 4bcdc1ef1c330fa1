//! Failures of the credentials: none are found, their source fails, Cloud KMS does not take them.

use std::{borrow::Cow, error::Error as StdError, time::SystemTime};

use adcp_signing_core::{
    ProviderError, ProviderErrorKind as Kind,
    provider::toolkit::{ClockSkew, ServiceAnswer},
};
use google_cloud_gax::error::{CredentialsError, Error, rpc::Code};
use http::header::DATE;

use super::Meaning;
use crate::config::configuration;

pub(super) const CREDENTIALS: &str = "Cloud KMS does not take the credentials; has the access token expired, or was the account disabled?";
const NO_CREDENTIALS: &str = "no Google credentials can be used; run `gcloud auth application-default login`, or set \
                              GOOGLE_APPLICATION_CREDENTIALS to a file that can be read";

/// No Application Default Credentials can be used.
pub(crate) fn no_default_credentials() -> ProviderError {
    configuration(NO_CREDENTIALS)
}

/// Whether Cloud KMS did not take the credentials.
pub(crate) fn refuses_credentials(error: &Error) -> bool {
    match error.status() {
        Some(service) if service.code != Code::Unknown => service.code == Code::Unauthenticated,
        _ => error.http_status_code() == Some(401),
    }
}

/// What went wrong before the call.
pub(super) fn of_credentials(error: &Error) -> Meaning {
    let chain = || std::iter::successors(error.source(), |&cause| cause.source());
    // The client takes it for something that may pass that no metadata server is there.
    if chain().any(|cause| cause.to_string().contains("application-default login")) {
        return (Kind::Configuration, NO_CREDENTIALS);
    }
    let transient =
        chain().find_map(|cause| cause.downcast_ref()).is_some_and(CredentialsError::is_transient);
    match transient {
        true => (Kind::Unavailable, "the source of the Google credentials failed; try again"),
        false => (
            Kind::AccessDenied,
            "no access token can be had with the Google credentials (GOOGLE_APPLICATION_CREDENTIALS, or the login of gcloud); renew \
             them",
        ),
    }
}

/// What to do about credentials that were refused: the answer's `Date` shows a clock that is off.
/// A service account signs its tokens with the time of this machine.
pub(super) fn with_clock(advice: &'static str, error: &Error) -> Cow<'static, str> {
    let date = || error.http_headers()?.get(DATE)?.to_str().ok();
    let skew = |date| ClockSkew::of(date, SystemTime::now());
    match (advice == CREDENTIALS).then(date).flatten().and_then(skew) {
        Some(skew) => {
            format!("Cloud KMS does not take the credentials; {skew}, so synchronize it").into()
        }
        None => advice.into(),
    }
}

/// What the source of the credentials answered. The client has it as texts, with the whole body,
/// of which the code alone is passed on.
pub(super) fn answer_to_credentials(error: &Error) -> Option<ServiceAnswer> {
    let texts = || {
        let chain = std::iter::successors(error.source(), |&cause| cause.source());
        chain.map(ToString::to_string)
    };
    let status = texts().find_map(|text| {
        let (_, status) = text.split_once("HTTP status ")?.1.split_once(" error (")?;
        status.get(..3)?.parse::<u16>().ok()
    })?;
    let code = texts().find_map(|text| oauth_code(&text).map(str::to_owned));
    Some(
        ServiceAnswer::new("the source of the Google credentials", status)
            .with_code(code.as_deref()),
    )
}

/// The code of RFC 6749 §5.2 in a body: `{"error": "invalid_grant", …}`.
fn oauth_code(text: &str) -> Option<&str> {
    let (_, body) = text.split_once("body=<")?;
    let (_, value) = body.split_once(r#""error""#)?;
    let value = value.trim_start().strip_prefix(':')?.trim_start().strip_prefix('"')?;
    value.split_once('"').map(|(code, _)| code)
}
