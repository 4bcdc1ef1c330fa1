//! Which key purposes a profile accepts at which contract, and the cure where it does not: the one
//! table that signer, verifier, registration check, `probe` and `docs/purposes.md` read.

use super::{Form, Profile, contract::ContractVersion};
use crate::keys::KeyPurpose;

/// What a profile makes of a key that is published for some purpose (AdCP checklist, step 8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PurposeVerdict {
    /// The key may sign messages of the profile.
    Accepted,
    /// The key may still sign messages of the profile.
    Deprecated {
        /// What to do instead.
        advice: &'static str,
    },
    /// The key must not sign messages of the profile.
    Refused {
        /// What to do.
        cure: &'static str,
    },
}

/// The rule about webhook keys, which changed within the candidates of contract 3.1.0.
#[derive(Debug, Clone, Copy)]
enum WebhookKeys {
    /// Before 3.1.0-rc.15: keys that are published for webhooks alone.
    OfTheirOwn,
    /// Since then: request-signing keys. `webhook-signing` is deprecated.
    ForRequests,
}

const REQUEST_KEY: &str = "sign with a request-signing key";
const WEBHOOK_KEY: &str = "sign with a webhook-signing key";
const WEBHOOK_KEY_OR_NEWER_CONTRACT: &str = "sign with a webhook-signing key; request-signing keys \
                                             sign webhooks from contract 3.1.0-rc.15";
const REQUEST_KEY_FOR_WEBHOOKS: &str =
    "sign with a request-signing key, best one for webhooks alone under its own kid";
const DEPRECATED: &str = "webhook-signing is deprecated since contract 3.1.0-rc.15: publish a \
                          request-signing key for webhooks alone, under its own kid";

impl Profile {
    /// What this profile makes of a key that is published for this purpose.
    ///
    /// Since contract 3.1.0-rc.15 webhooks are signed with request-signing keys, and
    /// webhook-signing is deprecated. Give webhooks a request-signing key of their own, under its
    /// own `kid`: a key that leaks then costs one of the two.
    ///
    /// ```
    /// use adcp_signing_core::{KeyPurpose, profile::{Profile, PurposeVerdict}};
    ///
    /// let webhook = Profile::webhook_at("3.1.0-rc.14".parse()?);
    /// let verdict = webhook.judge_purpose(&KeyPurpose::RequestSigning);
    /// assert!(matches!(verdict, PurposeVerdict::Refused { cure } if cure.contains("webhook-signing")));
    /// # Ok::<(), adcp_signing_core::profile::ContractError>(())
    /// ```
    pub fn judge_purpose(&self, purpose: &KeyPurpose) -> PurposeVerdict {
        use KeyPurpose::{
            AttestationSigning, GovernanceSigning, RequestSigning, ResponseSigning, TmpSigning,
            Unknown, WebhookSigning,
        };
        use PurposeVerdict::{Accepted, Deprecated, Refused};
        use WebhookKeys::{ForRequests, OfTheirOwn};

        match (self.form, self.webhook_keys(), purpose) {
            (Form::Request(_), _, RequestSigning)
            | (Form::Webhook, OfTheirOwn, WebhookSigning)
            | (Form::Webhook, ForRequests, RequestSigning) => Accepted,
            (Form::Webhook, ForRequests, WebhookSigning) => Deprecated { advice: DEPRECATED },
            (Form::Webhook, OfTheirOwn, RequestSigning) => {
                Refused { cure: WEBHOOK_KEY_OR_NEWER_CONTRACT }
            }
            (Form::Request(_), _, WebhookSigning) => Refused { cure: REQUEST_KEY },
            (
                form,
                keys,
                ResponseSigning | GovernanceSigning | TmpSigning | AttestationSigning | Unknown(_),
            ) => Refused {
                cure: match (form, keys) {
                    (Form::Request(_), _) => REQUEST_KEY,
                    (Form::Webhook, OfTheirOwn) => WEBHOOK_KEY,
                    (Form::Webhook, ForRequests) => REQUEST_KEY_FOR_WEBHOOKS,
                },
            },
        }
    }

    /// The purpose to publish a new key of this profile for: the one that
    /// [`judge_purpose`](Self::judge_purpose) accepts without a warning.
    pub fn purpose_to_publish(&self) -> KeyPurpose {
        match (self.form, self.webhook_keys()) {
            (Form::Request(_), _) | (Form::Webhook, WebhookKeys::ForRequests) => {
                KeyPurpose::RequestSigning
            }
            (Form::Webhook, WebhookKeys::OfTheirOwn) => KeyPurpose::WebhookSigning,
        }
    }

    fn webhook_keys(&self) -> WebhookKeys {
        if self.contract >= ContractVersion::REQUEST_KEYS_SIGN_WEBHOOKS {
            WebhookKeys::ForRequests
        } else {
            WebhookKeys::OfTheirOwn
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::WireVersion;

    const DOCS: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/purposes.md"));

    fn webhook(contract: &str) -> Profile {
        Profile::webhook_at(contract.parse().unwrap())
    }

    fn word(verdict: PurposeVerdict) -> &'static str {
        match verdict {
            PurposeVerdict::Accepted => "accepted",
            PurposeVerdict::Deprecated { .. } => "deprecated",
            PurposeVerdict::Refused { .. } => "refused",
        }
    }

    /// Every purpose there is, a value that is not known included.
    fn purposes() -> Vec<KeyPurpose> {
        KeyPurpose::KNOWN.iter().cloned().chain([KeyPurpose::from("other")]).collect()
    }

    #[test]
    fn the_table_of_the_docs_is_this_one() {
        let requests = Profile::request(WireVersion::V3_0);
        let (before, since) = (webhook("3.1.0-rc.14"), webhook("3.1.0-rc.15"));
        let rows: Vec<_> = purposes()
            .into_iter()
            .map(|purpose| {
                let name = match &purpose {
                    KeyPurpose::Unknown(_) => "any other value".to_owned(),
                    known => format!("`{known}`"),
                };
                let [requests, before, since] = [&requests, &before, &since]
                    .map(|profile| word(profile.judge_purpose(&purpose)));
                format!("| {name} | {requests} | {before} | {since} |")
            })
            .collect();
        let written: Vec<_> = DOCS
            .lines()
            .filter(|line| line.starts_with("| `") || line.starts_with("| any"))
            .collect();
        assert_eq!(written, rows);
        let text: String = DOCS.split_whitespace().collect::<Vec<_>>().join(" ");
        for answer in [
            REQUEST_KEY,
            WEBHOOK_KEY,
            WEBHOOK_KEY_OR_NEWER_CONTRACT,
            REQUEST_KEY_FOR_WEBHOOKS,
            DEPRECATED,
        ] {
            assert!(text.contains(answer), "docs/purposes.md lacks: {answer}");
        }
    }

    #[test]
    fn the_rule_about_webhook_keys_changed_with_one_contract_and_never_for_requests() {
        for (contract, requests_sign) in [
            ("3.0.26", false),
            ("3.1.0-beta.0", false),
            ("3.1.0-rc.14", false),
            ("3.1.0-rc.15", true),
            ("3.1.0", true),
            ("3.2.4", true),
            ("3.3.0-rc.0", true),
        ] {
            let profile = webhook(contract);
            let verdicts = [KeyPurpose::RequestSigning, KeyPurpose::WebhookSigning]
                .map(|purpose| word(profile.judge_purpose(&purpose)));
            let expected =
                if requests_sign { ["accepted", "deprecated"] } else { ["refused", "accepted"] };
            assert_eq!(verdicts, expected, "{contract}");
        }
        for wire in WireVersion::ALL {
            let profile = Profile::request(wire);
            for purpose in purposes() {
                let accepted = purpose == KeyPurpose::RequestSigning;
                let expected = if accepted { "accepted" } else { "refused" };
                assert_eq!(word(profile.judge_purpose(&purpose)), expected, "{wire} {purpose}");
            }
        }
    }

    #[test]
    fn the_cure_names_a_purpose_that_the_profile_accepts() {
        for profile in [
            Profile::request(WireVersion::V3_0),
            Profile::request(WireVersion::V3_3),
            webhook("3.0.26"),
            webhook("3.1.0-rc.15"),
            Profile::webhook(),
        ] {
            let publish = profile.purpose_to_publish();
            for purpose in purposes() {
                let verdict = profile.judge_purpose(&purpose);
                assert_eq!(verdict == PurposeVerdict::Accepted, purpose == publish, "{profile}");
                let (PurposeVerdict::Refused { cure: hint }
                | PurposeVerdict::Deprecated { advice: hint }) = verdict
                else {
                    continue;
                };
                assert!(hint.contains(&format!("a {publish} key")), "{profile}: {hint}");
            }
        }
    }
}
