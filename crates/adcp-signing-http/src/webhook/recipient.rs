//! `Recipient`: to whom a delivery goes, as a store keeps it.

use std::fmt;

use super::WebhookTarget;

/// To whom a delivery goes. A store keeps this, and with it no credential.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Recipient {
    /// A URL. What is sent there is signed by RFC 9421.
    Target(WebhookTarget),
    /// A registration, whose URL and authentication are looked up for each attempt: the delivery
    /// follows when the counterparty changes them, and ends when it withdraws them.
    Registration(RegistrationId),
}

/// Your name for a registration, such as the key of its row. It is stored and logged.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RegistrationId(String);

impl RegistrationId {
    /// The registration of this name.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RegistrationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The origin of the URL, or the name of the registration.
impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Target(target) => target.fmt(f),
            Self::Registration(id) => id.fmt(f),
        }
    }
}

impl From<WebhookTarget> for Recipient {
    fn from(target: WebhookTarget) -> Self {
        Self::Target(target)
    }
}

impl From<&WebhookTarget> for Recipient {
    fn from(target: &WebhookTarget) -> Self {
        Self::Target(target.clone())
    }
}

impl From<&Recipient> for Recipient {
    fn from(recipient: &Recipient) -> Self {
        recipient.clone()
    }
}

impl From<RegistrationId> for Recipient {
    fn from(id: RegistrationId) -> Self {
        Self::Registration(id)
    }
}

impl From<&RegistrationId> for Recipient {
    fn from(id: &RegistrationId) -> Self {
        Self::Registration(id.clone())
    }
}
