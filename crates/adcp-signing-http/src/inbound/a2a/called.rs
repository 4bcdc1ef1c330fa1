//! `Called`: what the layer knows of a request, on its way around the SDK.
//!
//! The SDK's routers hand header fields to a handler, and drop the extensions of the request. So
//! the layer keeps its answer beside the call, [`OwnedTasks`](super::OwnedTasks) takes it up, and
//! executors find it among the service parameters, under names that no header field can have.

use std::future::Future;

use a2a_server::ServiceParams;
use adcp_signing_core::{Verified, operation::Principal};

use super::super::AcceptedCredential;

/// Names with a space: a header field cannot have them.
const SIGNED: &str = "verified signer";
const ACCEPTED: &str = "accepted credential";
const ANONYMOUS: &str = "verified as anonymous";
const OPERATION: &str = "verified operation";

tokio::task_local! {
    static CALLED: Called;
}

/// Who sent a request, and for which operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Called {
    principal: Owned,
    operation: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Owned {
    Signer { agent_url: Option<String>, keyid: String },
    Fallback { subject: Option<String> },
    Anonymous,
}

impl Called {
    /// What a verified request says.
    pub(crate) fn of(verified: &Verified, credential: Option<&AcceptedCredential>) -> Self {
        let principal = match verified {
            Verified::Signed(signer) => Owned::Signer {
                agent_url: signer.agent_url().map(str::to_owned),
                keyid: signer.keyid().to_owned(),
            },
            Verified::Fallback(_) => Owned::Fallback {
                subject: credential.map(|credential| credential.subject().to_owned()),
            },
            Verified::Anonymous(_) => Owned::Anonymous,
        };
        Self { principal, operation: verified.operation().map(str::to_owned) }
    }

    /// The request that is being served, or `None` where no layer of ours has seen it.
    pub(super) fn now() -> Option<Self> {
        CALLED.try_with(Clone::clone).ok()
    }

    pub(super) fn principal(&self) -> Principal<'_> {
        match &self.principal {
            Owned::Signer { agent_url, keyid } => {
                Principal::Signer { agent_url: agent_url.as_deref(), keyid }
            }
            Owned::Fallback { subject } => Principal::Fallback { subject: subject.as_deref() },
            Owned::Anonymous => Principal::Anonymous,
        }
    }

    pub(super) fn operation(&self) -> Option<&str> {
        self.operation.as_deref()
    }

    /// The service parameters, with what executors read by [`principal`] and [`operation`].
    pub(super) fn among(&self, params: &ServiceParams) -> ServiceParams {
        let mut params = params.clone();
        for name in [SIGNED, ACCEPTED, ANONYMOUS, OPERATION] {
            params.remove(name);
        }
        let (name, values) = match self.principal.clone() {
            Owned::Signer { agent_url, keyid } => {
                (SIGNED, [Some(keyid), agent_url].into_iter().flatten().collect())
            }
            Owned::Fallback { subject } => (ACCEPTED, subject.into_iter().collect()),
            Owned::Anonymous => (ANONYMOUS, Vec::new()),
        };
        params.insert(name.to_owned(), values);
        if let Some(operation) = &self.operation {
            params.insert(OPERATION.to_owned(), vec![operation.clone()]);
        }
        params
    }
}

/// Serves a request with what is known of it.
pub(crate) async fn serve<F: Future>(called: Option<Called>, serving: F) -> F::Output {
    match called {
        Some(called) => CALLED.scope(called, serving).await,
        None => serving.await,
    }
}

/// Who called, for an executor behind [`OwnedTasks`](super::OwnedTasks): give it
/// `context.service_params`. `None` where the handler is not one.
///
/// ```
/// use a2a_server::ExecutorContext;
/// use adcp_signing_core::operation::Principal;
/// use adcp_signing_http::a2a::principal;
///
/// fn buyer(context: &ExecutorContext) -> Option<&str> {
///     match principal(&context.service_params)? {
///         Principal::Signer { agent_url, .. } => agent_url,
///         _ => None,
///     }
/// }
/// ```
pub fn principal(params: &ServiceParams) -> Option<Principal<'_>> {
    if let Some(signer) = params.get(SIGNED) {
        let mut values = signer.iter().map(String::as_str);
        let keyid = values.next()?;
        return Some(Principal::Signer { agent_url: values.next(), keyid });
    }
    if let Some(accepted) = params.get(ACCEPTED) {
        return Some(Principal::Fallback { subject: accepted.first().map(String::as_str) });
    }
    params.contains_key(ANONYMOUS).then_some(Principal::Anonymous)
}

/// The AdCP operation that was verified, for an executor behind [`OwnedTasks`](super::OwnedTasks).
/// Dispatch on it, not on a `skill` that is read from the message again.
pub fn operation(params: &ServiceParams) -> Option<&str> {
    params.get(OPERATION)?.first().map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_executor_finds_who_called_and_no_header_field_can_say_so() {
        let url = "https://buyer.example.com/adcp";
        for owned in [
            Owned::Signer { agent_url: Some(url.to_owned()), keyid: "k".to_owned() },
            Owned::Signer { agent_url: None, keyid: "k".to_owned() },
            Owned::Fallback { subject: Some("tenant-7".to_owned()) },
            Owned::Fallback { subject: None },
            Owned::Anonymous,
        ] {
            let called = Called { principal: owned, operation: Some("get_products".to_owned()) };
            let mut forged = ServiceParams::new();
            for name in [SIGNED, ACCEPTED, ANONYMOUS, OPERATION] {
                assert!(http::HeaderName::from_bytes(name.as_bytes()).is_err(), "{name}");
                forged.insert(name.to_owned(), vec!["forged".to_owned()]);
            }
            let params = called.among(&forged);
            assert_eq!(principal(&params), Some(called.principal()));
            assert_eq!(operation(&params), Some("get_products"));
        }
        let params = ServiceParams::from([("a".to_owned(), vec!["b".to_owned()])]);
        assert_eq!((principal(&params), operation(&params)), (None, None));
    }
}
