//! What a refusal by the server means.
//!
//! The status alone does not say: a missing key is 404 when read and 400 when signed with, and a
//! key version that is not there is 500. The server's text tells those apart; it is never shown,
//! because it names paths.

use std::borrow::Cow;

use adcp_signing_core::{
    ProviderError, ProviderErrorKind as Kind,
    provider::toolkit::{ServiceAnswer, kind_of_status},
};

use crate::http::Reply;

/// How much of a refusal is looked through.
const MAX_TEXT_LEN: usize = 4096;

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    LogIn,
    /// The lookup or the renewal of our own token.
    Token,
    ReadKey,
    Sign,
    CreateKey,
    /// What the token may do.
    Capabilities,
}

/// The error for a reply that is not a success.
pub(crate) fn refusal(operation: Operation, reply: &Reply) -> ProviderError {
    let shown = reply.body.get(..MAX_TEXT_LEN).unwrap_or(&reply.body);
    let text = String::from_utf8_lossy(shown);
    let (kind, message) = meaning(operation, reply, &text);
    ServiceAnswer::new("Vault or OpenBao", reply.status).into_error(
        kind,
        message,
        reply.retry_after,
    )
}

const DENIED: &str = "the server denied the call: the token has ended or was revoked, or its policy does not let it `read` the \
                      key and `update` its sign path";
const DENIED_IN_NAMESPACE: &str = "the server denied the call: the token has ended or was revoked, its policy does not let it \
                                   `read` the key and `update` its sign path, or the server has no such namespace (the \
                                   free edition of Vault has none)";
const MAY_NOT_MAKE: &str = "the server denied the call: the token's policy does not let it `create` and `update` the key; make keys \
                            with an administrator's token, which signing does not need";
const NO_NAMESPACE: &str = "the server has no such namespace, or no such mount in it; namespaces are in OpenBao, Vault \
                            Enterprise and HCP Vault, and not in the free edition of Vault";
const NOT_TAKEN: &str = "the server does not take the request; is it Vault or OpenBao, of a version that has the Transit \
                         options that signing needs?";
const LOGIN: &str = "the server refused the login; check the role, its secret id or service account, and where the method is \
                     mounted";
const LOGIN_IN_NAMESPACE: &str = "the server refused the login; check the role, its secret id or service account, where the \
                                  method is mounted, and the namespace (the free edition of Vault has none)";

fn meaning(operation: Operation, reply: &Reply, text: &str) -> (Kind, Cow<'static, str>) {
    let (kind, message) = kind_and_message(operation, reply, text);
    // What the server cannot know is where its caller took the setting from.
    let message = match message {
        NO_NAMESPACE => {
            format!("{message}; check `namespace=` or {}", reply.settings.namespace()).into()
        }
        NOT_TAKEN => format!("{message} Check its address ({})", reply.settings.address()).into(),
        message => message.into(),
    };
    (kind, message)
}

fn kind_and_message(operation: Operation, reply: &Reply, text: &str) -> (Kind, &'static str) {
    let (status, in_namespace) = (reply.status, reply.in_namespace);
    let says = |part: &str| text.contains(part);
    match status {
        429 => (
            Kind::Throttled,
            "a rate limit quota of the server turned the call away; sign less, or raise the quota",
        ),
        503 => (
            Kind::Unavailable,
            "the server is sealed, in standby or not initialized; unseal it, or wait for a leader",
        ),
        300..=399 => (
            Kind::Unavailable,
            "the server redirects, which is not followed: it is in standby and does not forward the call to its leader; wait \
             for the election, or name the active node or a load balancer",
        ),
        500 if says("active cluster node not found") => (
            Kind::Unavailable,
            "the cluster has no leader now; wait for the election, or see whether most of its nodes run and are unsealed",
        ),
        404 if says("namespace not found") => (Kind::Configuration, NO_NAMESPACE),
        404 if in_namespace && says("no handler for route") => (Kind::Configuration, NO_NAMESPACE),
        400 | 401 | 403 | 404 if operation == Operation::LogIn => {
            (Kind::AccessDenied, if in_namespace { LOGIN_IN_NAMESPACE } else { LOGIN })
        }
        401 | 403 if operation == Operation::CreateKey => (Kind::AccessDenied, MAY_NOT_MAKE),
        401 | 403 => (Kind::AccessDenied, if in_namespace { DENIED_IN_NAMESPACE } else { DENIED }),
        404 if says("no handler for route") => (
            Kind::Configuration,
            "no secrets engine is mounted there; enable transit, or name its mount (`mount=`, ADCP_VAULT_TRANSIT_MOUNT)",
        ),
        404 => (
            Kind::KeyNotFound,
            "the Transit engine has no key of this name; create it, or correct its name",
        ),
        _ if says("signing key not found") => (
            Kind::KeyNotFound,
            "the Transit engine has no key of this name; create it, or correct its name",
        ),
        _ if says("higher than the latest key version") => (
            Kind::KeyNotFound,
            "the key has no version of this number yet; rotate it first, or name a version that is there",
        ),
        _ if says("less than the minimum encryption key version") => (
            Kind::KeyDisabled,
            "this version of the key was retired (min_encryption_version); sign with a later one, once it is published",
        ),
        _ if says("soft-deleted") => {
            (Kind::KeyDisabled, "the key is soft-deleted; restore it, or use another")
        }
        _ if says("does not support signing") => (
            Kind::AlgorithmMismatch,
            "the key is of a type that cannot sign; use one of ed25519, ecdsa-p256 or RSA",
        ),
        413 => (
            Kind::MessageTooLarge,
            "the server takes no request this long; raise max_request_size of its listener",
        ),
        // A performance standby that has not caught up yet.
        412 => (Kind::Unavailable, "the server has not caught up with its leader yet; wait"),
        _ => {
            let kind = kind_of_status(status);
            let message = match kind {
                Kind::AccessDenied => "a proxy refused the request; check its login and its rules",
                Kind::Timeout => {
                    "the server, or what stands before it, did not answer in its own time; see its load"
                }
                Kind::Configuration => NOT_TAKEN,
                Kind::Unavailable => "the server failed; its log has the cause",
                _ => {
                    "the server answered with a status that this API does not have; is the address that of Vault or OpenBao?"
                }
            };
            (kind, message)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use zeroize::Zeroizing;

    use super::*;
    use crate::settings::Settings;

    const NO_LEADER: &str = "local node not active but active cluster node not found";

    fn reply(status: u16, text: &str, retry_after: Option<u64>) -> Reply {
        let body = Zeroizing::new(format!(r#"{{"errors":["{text}"]}}"#).into_bytes());
        let retry_after = retry_after.map(Duration::from_secs);
        let settings = Settings::Family("BAO");
        Reply { status, retry_after, body, in_namespace: false, settings }
    }

    #[test]
    fn a_refusal_is_classified_by_status_text_and_what_was_asked() {
        use Operation::{Capabilities, CreateKey, LogIn, ReadKey, Sign, Token};

        for (operation, status, text, kind) in [
            (Sign, 400, "signing key not found", Kind::KeyNotFound),
            (ReadKey, 404, "", Kind::KeyNotFound),
            (ReadKey, 404, "no handler for route", Kind::Configuration),
            (Sign, 404, "namespace not found", Kind::Configuration),
            (LogIn, 404, "namespace not found", Kind::Configuration),
            (
                Sign,
                500,
                "requested version for signing is higher than the latest key version",
                Kind::KeyNotFound,
            ),
            (
                Sign,
                500,
                "requested version for signing is less than the minimum encryption key version",
                Kind::KeyDisabled,
            ),
            (Sign, 500, "refusing to use soft-deleted key", Kind::KeyDisabled),
            (Sign, 400, "key type aes256-gcm96 does not support signing", Kind::AlgorithmMismatch),
            (Sign, 400, "unable to decode input as base64", Kind::Configuration),
            (Sign, 405, "unsupported operation", Kind::Configuration),
            (Sign, 413, "", Kind::MessageTooLarge),
            (Sign, 403, "permission denied", Kind::AccessDenied),
            (CreateKey, 403, "permission denied", Kind::AccessDenied),
            (Capabilities, 403, "permission denied", Kind::AccessDenied),
            (Token, 403, "permission denied", Kind::AccessDenied),
            (LogIn, 400, "invalid role or secret ID", Kind::AccessDenied),
            (LogIn, 403, "permission denied", Kind::AccessDenied),
            (LogIn, 500, "could not load backend configuration", Kind::Unavailable),
            (LogIn, 429, "", Kind::Throttled),
            (LogIn, 503, "Vault is sealed", Kind::Unavailable),
            (Sign, 307, "", Kind::Unavailable),
            (Sign, 500, NO_LEADER, Kind::Unavailable),
            (LogIn, 500, NO_LEADER, Kind::Unavailable),
            (Sign, 412, "", Kind::Unavailable),
            (Sign, 502, "", Kind::Unavailable),
            (Sign, 504, "", Kind::Timeout),
            (Sign, 407, "", Kind::AccessDenied),
            (Sign, 299, "", Kind::InvalidResponse),
        ] {
            let error = refusal(operation, &reply(status, text, None));
            assert_eq!(error.kind(), kind, "{operation:?} {status} {text}");
        }
    }

    #[test]
    fn a_cluster_without_a_leader_is_named_as_the_cause() {
        let error = refusal(Operation::Sign, &reply(500, NO_LEADER, None));
        assert!(error.to_string().contains("no leader now"), "{error}");
        let other = refusal(Operation::Sign, &reply(500, "", None));
        assert!(!other.to_string().contains("leader"), "{other}");
    }

    #[test]
    fn retry_after_is_kept_for_what_may_be_repeated() {
        for (status, pause, expected) in
            [(429, 7, Some(7)), (503, 7, Some(7)), (503, 1_000_000, Some(3600)), (403, 7, None)]
        {
            let error = refusal(Operation::Sign, &reply(status, "", Some(pause)));
            assert_eq!(error.retry_after(), expected.map(Duration::from_secs), "{status}");
        }
    }

    /// A server without namespaces takes one for the beginning of a path that leads nowhere.
    #[test]
    fn in_a_namespace_a_path_that_leads_nowhere_may_be_the_namespace_s_fault() {
        use Operation::{LogIn, ReadKey, Token};

        for (operation, status, text, kind) in [
            (Token, 404, "no handler for route", Kind::Configuration),
            (LogIn, 404, "no handler for route", Kind::Configuration),
            (ReadKey, 404, "no handler for route", Kind::Configuration),
            (LogIn, 403, "permission denied", Kind::AccessDenied),
            (ReadKey, 403, "permission denied", Kind::AccessDenied),
        ] {
            let reply = Reply { in_namespace: true, ..reply(status, text, None) };
            let error = refusal(operation, &reply);
            assert_eq!(error.kind(), kind, "{operation:?} {status}");
            assert!(error.to_string().contains("free edition"), "{error}");
        }
    }

    #[test]
    fn the_servers_text_is_not_repeated() {
        let error =
            refusal(Operation::Sign, &reply(429, "request path team/transit/sign/buyer", None));
        assert!(!format!("{error:?} {error}").contains("buyer"));
    }
}
