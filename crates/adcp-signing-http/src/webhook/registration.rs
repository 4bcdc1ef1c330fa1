//! `Registration`: where a counterparty wants its webhooks, and the one way in which they are
//! authenticated.

use std::{collections::HashMap, error::Error as StdError, fmt, sync::Arc};

use adcp_signing_core::webhook::{
    BearerToken, BearerTokenError, HmacSecret, HmacSecretError, LegacyHmac, UnknownScheme,
    WebhookAuthMode,
};
use async_trait::async_trait;
use parking_lot::RwLock;
use serde_json::{Map, Value};

use super::{RegistrationId, TargetError, WebhookTarget};

/// A webhook registration, as a seller keeps it: the URL, and how deliveries are authenticated.
///
/// ```
/// use adcp_signing_core::webhook::WebhookAuthMode;
/// use adcp_signing_http::webhook::Registration;
/// use serde_json::json;
///
/// let config = json!({ "url": "https://buyer.example.com/hooks/7" });
/// let registration = Registration::from_request(&config)?;
/// assert_eq!(registration.authentication().mode(), WebhookAuthMode::Rfc9421);
/// # Ok::<(), adcp_signing_http::webhook::RegistrationError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Registration {
    target: WebhookTarget,
    authentication: Authentication,
}

/// How the deliveries of a registration are authenticated: by one kind, and no other is tried
/// ("Mode selection is a switch, not both", security guide).
#[derive(Debug, Clone)]
pub enum Authentication {
    /// RFC 9421, with the key of the sender.
    Rfc9421,
    /// Legacy HMAC-SHA256, which AdCP 4.0 removes.
    LegacyHmac(LegacyHmac),
    /// A bearer token, which AdCP 4.0 removes. It protects nothing of the body.
    Bearer(BearerToken),
}

/// Why a registration is refused. Answer the counterparty with it: nothing in it is secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistrationError {
    /// A member is missing or has another type than in the schema.
    #[error("the webhook registration is malformed: `{0}` is missing or not {1}")]
    Member(&'static str, &'static str),
    /// `authentication` has a member that the schema does not know.
    #[error(
        "the webhook registration is malformed: `authentication` has another member than `schemes` \
         and `credentials`; remove it"
    )]
    UnknownMember,
    /// The URL is none that webhooks are sent to.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// The scheme is unknown.
    #[error(transparent)]
    Scheme(#[from] UnknownScheme),
    /// The secret for HMAC is too short or too weak.
    #[error("`authentication.credentials` is refused: {0}")]
    HmacSecret(#[from] HmacSecretError),
    /// The token is too short, too weak, or fits into no field.
    #[error("`authentication.credentials` is refused: {0}")]
    BearerToken(#[from] BearerTokenError),
}

impl Authentication {
    /// The kind.
    pub fn mode(&self) -> WebhookAuthMode {
        match self {
            Self::Rfc9421 => WebhookAuthMode::Rfc9421,
            Self::LegacyHmac(_) => WebhookAuthMode::LegacyHmac,
            Self::Bearer(_) => WebhookAuthMode::Bearer,
        }
    }

    /// What `authentication` of a registration selects.
    fn read(value: &Value) -> Result<Self, RegistrationError> {
        let members =
            value.as_object().ok_or(RegistrationError::Member("authentication", "an object"))?;
        if members.keys().any(|name| !matches!(name.as_str(), "schemes" | "credentials")) {
            return Err(RegistrationError::UnknownMember);
        }
        let scheme = match members.get("schemes").and_then(Value::as_array).map(Vec::as_slice) {
            Some([Value::String(scheme)]) => scheme,
            _ => return Err(RegistrationError::Member("schemes", "an array of one string")),
        };
        let mode = WebhookAuthMode::from_registration(Some(scheme))?;
        let credentials = text(members, "credentials")?.to_owned();
        match mode {
            // No name of a scheme selects it: the absence of `authentication` does.
            WebhookAuthMode::Rfc9421 => Err(UnknownScheme.into()),
            WebhookAuthMode::LegacyHmac => {
                Ok(Self::LegacyHmac(LegacyHmac::new(HmacSecret::new(credentials.into_bytes())?)))
            }
            WebhookAuthMode::Bearer => Ok(Self::Bearer(BearerToken::new(credentials)?)),
        }
    }
}

impl Registration {
    /// A registration of this URL.
    pub fn new(target: WebhookTarget, authentication: Authentication) -> Self {
        Self { target, authentication }
    }

    /// The registration that a request makes: the value of `push_notification_config`, or one of
    /// `notification_configs`. With `authentication` it selects that scheme, without it RFC 9421.
    /// Members about anything else are not looked at.
    ///
    /// A legacy scheme is written to the log as a warning, as AdCP requires: alarm where you expect
    /// none. A request with `authentication` has to be signed, which `Verify` sees to.
    ///
    /// # Errors
    /// [`RegistrationError`]; no mode may stand in for another.
    pub fn from_request(config: &Value) -> Result<Self, RegistrationError> {
        let registration = Self::from_stored(config)?;
        let mode = registration.authentication.mode();
        if mode != WebhookAuthMode::Rfc9421 {
            tracing::warn!(
                target: "adcp_signing::webhook",
                %mode,
                target = %registration.target,
                "a webhook registration selects a legacy scheme, which AdCP 4.0 removes"
            );
        }
        Ok(registration)
    }

    /// The same for a configuration that was accepted before and comes from your database.
    ///
    /// # Errors
    /// [`RegistrationError`].
    pub fn from_stored(config: &Value) -> Result<Self, RegistrationError> {
        let members =
            config.as_object().ok_or(RegistrationError::Member("registration", "an object"))?;
        let target = text(members, "url")?.parse()?;
        let authentication = match members.get("authentication") {
            None => Authentication::Rfc9421,
            Some(value) => Authentication::read(value)?,
        };
        Ok(Self { target, authentication })
    }

    /// The URL.
    pub fn target(&self) -> &WebhookTarget {
        &self.target
    }

    /// How deliveries are authenticated.
    pub fn authentication(&self) -> &Authentication {
        &self.authentication
    }
}

fn text<'a>(
    members: &'a Map<String, Value>,
    name: &'static str,
) -> Result<&'a str, RegistrationError> {
    members.get(name).and_then(Value::as_str).ok_or(RegistrationError::Member(name, "a string"))
}

/// Where a [`WebhookSender`](super::WebhookSender) finds the registrations that deliveries refer to.
///
/// It is asked at each attempt, so that a rotated credential counts from the next attempt on, and
/// none has to be stored with a delivery. Keep the credentials as you keep passwords of others:
/// encrypted, and away from logs.
#[async_trait]
pub trait Registrations: Send + Sync + fmt::Debug {
    /// The registration as it is now, or `None` where it is withdrawn: its deliveries end then.
    ///
    /// # Errors
    /// [`LookupFailure`]; the delivery is tried again.
    async fn find(&self, id: &RegistrationId) -> Result<Option<Registration>, LookupFailure>;
}

/// The registrations could not be read.
#[derive(Debug, thiserror::Error)]
#[error("the webhook registrations could not be read; check the connection to their store")]
pub struct LookupFailure(#[source] Box<dyn StdError + Send + Sync>);

impl LookupFailure {
    /// A failure with its cause, which may hold no credential.
    pub fn new(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self(cause.into())
    }
}

#[async_trait]
impl<R: Registrations + ?Sized> Registrations for Arc<R> {
    async fn find(&self, id: &RegistrationId) -> Result<Option<Registration>, LookupFailure> {
        R::find(self, id).await
    }
}

/// Registrations in the memory of this process, such as those of a configuration file.
#[derive(Debug, Default)]
pub struct InMemoryRegistrations(RwLock<HashMap<RegistrationId, Registration>>);

impl InMemoryRegistrations {
    /// Sets a registration in place of any of its name.
    pub fn set(&self, id: RegistrationId, registration: Registration) {
        self.0.write().insert(id, registration);
    }

    /// Withdraws a registration.
    pub fn withdraw(&self, id: &RegistrationId) {
        self.0.write().remove(id);
    }
}

#[async_trait]
impl Registrations for InMemoryRegistrations {
    async fn find(&self, id: &RegistrationId) -> Result<Option<Registration>, LookupFailure> {
        Ok(self.0.read().get(id).cloned())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SECRET: &str = "k1J8#qWz0Lr7vBn3Yx5Tm9Pc2Hd6Gs4F";

    fn config(authentication: Value) -> Value {
        json!({ "url": "https://buyer.example.com/hooks?t=1", "authentication": authentication })
    }

    #[test]
    fn authentication_selects_the_scheme_and_its_absence_rfc_9421() {
        let mode = |config: &Value| {
            Registration::from_request(config).map(|found| found.authentication().mode())
        };
        let plain = json!({ "url": "https://buyer.example.com/hooks", "operation_id": "op-1" });
        assert_eq!(mode(&plain), Ok(WebhookAuthMode::Rfc9421));
        for (scheme, expected) in
            [("HMAC-SHA256", WebhookAuthMode::LegacyHmac), ("Bearer", WebhookAuthMode::Bearer)]
        {
            let config = config(json!({ "schemes": [scheme], "credentials": SECRET }));
            assert_eq!(mode(&config), Ok(expected));
        }
    }

    #[test]
    fn a_registration_that_selects_nothing_clearly_is_refused() {
        let member = RegistrationError::Member;
        let schemes = || member("schemes", "an array of one string");
        let short = SECRET.strip_prefix('k').unwrap();
        for (authentication, error) in [
            (Value::Null, member("authentication", "an object")),
            (json!([]), member("authentication", "an object")),
            (json!({}), schemes()),
            (json!({ "schemes": [], "credentials": SECRET }), schemes()),
            (json!({ "schemes": ["Bearer", "Bearer"], "credentials": SECRET }), schemes()),
            (json!({ "schemes": [7], "credentials": SECRET }), schemes()),
            (json!({ "schemes": "Bearer", "credentials": SECRET }), schemes()),
            (json!({ "schemes": ["Bearer"] }), member("credentials", "a string")),
            (
                json!({ "schemes": ["bearer"], "credentials": SECRET }),
                RegistrationError::Scheme(UnknownScheme),
            ),
            (
                json!({ "schemes": ["Bearer"], "credentials": SECRET, "scheme": "HMAC-SHA256" }),
                RegistrationError::UnknownMember,
            ),
            (
                json!({ "schemes": ["HMAC-SHA256"], "credentials": short }),
                RegistrationError::HmacSecret(HmacSecretError::TooShort { bytes: 31 }),
            ),
            (
                json!({ "schemes": ["Bearer"], "credentials": short }),
                RegistrationError::BearerToken(BearerTokenError::TooShort { bytes: 31 }),
            ),
        ] {
            let refused = Registration::from_request(&config(authentication.clone())).unwrap_err();
            assert_eq!(refused, error, "{authentication}");
        }
        for (config, part) in [
            (json!("https://buyer.example.com/hooks"), "`registration`"),
            (json!({}), "`url`"),
            (json!({ "url": "https://10.0.0.1/hooks" }), "private use"),
            (json!({ "url": "http://127.0.0.1/hooks" }), "https"),
        ] {
            let refused = Registration::from_request(&config).unwrap_err().to_string();
            assert!(refused.contains(part), "{config}: {refused}");
        }
    }

    #[test]
    fn no_credential_and_no_path_is_shown() {
        for scheme in ["HMAC-SHA256", "Bearer"] {
            let config = config(json!({ "schemes": [scheme], "credentials": SECRET }));
            let shown = format!("{:?}", Registration::from_stored(&config).unwrap());
            assert!(!shown.contains(SECRET) && !shown.contains("t=1"), "{shown}");
        }
    }
}
