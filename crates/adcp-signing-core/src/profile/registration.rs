//! Whether a key may be registered for a profile: what a verifier would refuse it for, all at once
//! and before the first message.

use std::{collections::HashMap, fmt};

use super::{Profile, PurposeVerdict};
use crate::{
    keys::{AdcpUse, Algorithm, Jwk, JwkError, JwkSet, KeyError, KeyPurpose},
    rfc9421::structured_fields::push_string,
};

/// A key that verifiers of the profile accept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    kid: String,
    algorithm: Algorithm,
    purpose: KeyPurpose,
    advice: Option<&'static str>,
}

/// Why a key may not be registered: everything that is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistrationError {
    profile: String,
    defects: Vec<RegistrationDefect>,
}

/// One thing that is wrong with a published key (AdCP checklist, steps 7 and 8).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistrationDefect {
    /// There is no `kid`, or it is empty, so that no signature can name the key.
    #[error("`kid` is missing: give the key a name that no other key of the JWKS has")]
    KidMissing,
    /// The `kid` is not printable ASCII, so that no `keyid` can hold it.
    #[error("`kid` is not printable ASCII: `keyid` cannot hold it")]
    KidUnwritable,
    /// Another key of the JWKS has the same `kid`.
    #[error("another key of the JWKS has the same `kid`: verifiers use neither")]
    KidNotUnique,
    /// There is no `use`.
    #[error("`use` is missing: write \"use\": \"sig\"")]
    UseMissing,
    /// `use` is not `sig`.
    #[error("`use` is not \"sig\"")]
    UseNotSig,
    /// There is no `key_ops`.
    #[error("`key_ops` is missing: write \"key_ops\": [\"verify\"]")]
    KeyOpsMissing,
    /// `key_ops` does not hold `verify`.
    #[error("`key_ops` lacks \"verify\"")]
    KeyOpsWithoutVerify,
    /// There is no `adcp_use`.
    #[error("`adcp_use` is missing: write \"adcp_use\": \"{publish}\"")]
    PurposeMissing {
        /// The purpose to publish the key for.
        publish: KeyPurpose,
    },
    /// `adcp_use` is not one string.
    #[error("`adcp_use` is not one string: write \"adcp_use\": \"{publish}\"")]
    PurposeMalformed {
        /// The purpose to publish the key for.
        publish: KeyPurpose,
    },
    /// The profile does not accept the purpose.
    #[error("`adcp_use` is {:?}: {cure}", shown(.purpose))]
    PurposeRefused {
        /// What the key is published for.
        purpose: KeyPurpose,
        /// What to do, from [`Profile::judge_purpose`].
        cure: &'static str,
    },
    /// The profile does not admit the key's algorithm.
    #[error("the key is for {0}: use ed25519 or ecdsa-p256-sha256")]
    AlgorithmNotAdmitted(Algorithm),
    /// `alg`, `kty`, `crv` or the key material is missing or wrong.
    #[error(transparent)]
    Unusable(JwkError),
}

/// A JWKS that may be registered for a profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JwksRegistration {
    keys: Vec<Registration>,
    elsewhere: Vec<(String, KeyPurpose)>,
}

/// Why a JWKS may not be registered for a profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JwksRegistrationError {
    profile: String,
    keys: Vec<DefectiveKey>,
}

/// A key of a JWKS that stands in the way of registering it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DefectiveKey {
    /// The place of the key in `keys`, from 0.
    pub index: usize,
    /// The `kid`, where the key has one.
    pub kid: Option<String>,
    /// What is wrong with the key.
    pub error: RegistrationError,
}

impl Profile {
    /// Whether verifiers of this profile accept the key that a JWK publishes.
    ///
    /// ```
    /// use adcp_signing_core::{Jwk, profile::{Profile, RegistrationDefect, WireVersion}};
    ///
    /// let jwk = Jwk::parse(
    ///     br#"{"kid":"a","kty":"OKP","crv":"Ed25519","alg":"EdDSA","key_ops":["sign"],
    ///          "adcp_use":"request-signing","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
    /// )?;
    /// let refused = Profile::request(WireVersion::V3_2).check_registration(&jwk).unwrap_err();
    /// assert_eq!(
    ///     refused.defects(),
    ///     [RegistrationDefect::UseMissing, RegistrationDefect::KeyOpsWithoutVerify]
    /// );
    /// # Ok::<(), adcp_signing_core::JwkError>(())
    /// ```
    ///
    /// # Errors
    /// [`RegistrationError`] with every defect of the key.
    pub fn check_registration(&self, jwk: &Jwk) -> Result<Registration, RegistrationError> {
        self.check_key(jwk, false)
    }

    /// Whether a JWKS may be published for this profile: every key is sound and has a `kid` of its
    /// own, and at least one of them is for this profile. Sound keys for other purposes that AdCP
    /// knows may stand in the same JWKS.
    ///
    /// # Errors
    /// [`JwksRegistrationError`] with every defect of every key.
    pub fn check_jwks_registration(
        &self,
        set: &JwkSet,
    ) -> Result<JwksRegistration, JwksRegistrationError> {
        let mut named: HashMap<&str, usize> = HashMap::new();
        for kid in set.keys().iter().filter_map(Jwk::kid) {
            let count = named.entry(kid).or_default();
            *count = count.saturating_add(1);
        }
        let mut found = JwksRegistration { keys: Vec::new(), elsewhere: Vec::new() };
        let mut defective = Vec::new();
        for (index, jwk) in set.keys().iter().enumerate() {
            let repeated = jwk.kid().and_then(|kid| named.get(kid)).is_some_and(|count| *count > 1);
            match self.check_key(jwk, repeated) {
                Ok(registration) => found.keys.push(registration),
                Err(error) => match (jwk.kid(), error.only_for_another_purpose()) {
                    (Some(kid), Some(purpose)) => {
                        found.elsewhere.push((kid.to_owned(), purpose.clone()));
                    }
                    (kid, _) => {
                        defective.push(DefectiveKey { index, kid: kid.map(str::to_owned), error })
                    }
                },
            }
        }
        if defective.is_empty() && !found.keys.is_empty() {
            Ok(found)
        } else {
            Err(JwksRegistrationError { profile: self.to_string(), keys: defective })
        }
    }

    fn check_key(&self, jwk: &Jwk, kid_repeated: bool) -> Result<Registration, RegistrationError> {
        use RegistrationDefect as Defect;

        let mut defects = Vec::new();
        let kid = match jwk.kid() {
            None | Some("") => Err(Defect::KidMissing),
            Some(kid) if push_string(&mut String::new(), kid).is_err() => {
                Err(Defect::KidUnwritable)
            }
            Some(_) if kid_repeated => Err(Defect::KidNotUnique),
            Some(kid) => Ok(kid),
        };
        match jwk.key_use() {
            Some("sig") => {}
            Some(_) => defects.push(Defect::UseNotSig),
            None => defects.push(Defect::UseMissing),
        }
        match jwk.key_ops() {
            Some(ops) if ops.iter().any(|op| op == "verify") => {}
            Some(_) => defects.push(Defect::KeyOpsWithoutVerify),
            None => defects.push(Defect::KeyOpsMissing),
        }
        let purpose = match jwk.adcp_use() {
            AdcpUse::Absent => Err(Defect::PurposeMissing { publish: self.purpose_to_publish() }),
            AdcpUse::Malformed => {
                Err(Defect::PurposeMalformed { publish: self.purpose_to_publish() })
            }
            AdcpUse::Purpose(purpose) => match self.judge_purpose(purpose) {
                PurposeVerdict::Accepted => Ok((purpose, None)),
                PurposeVerdict::Deprecated { advice } => Ok((purpose, Some(advice))),
                PurposeVerdict::Refused { cure } => {
                    Err(Defect::PurposeRefused { purpose: purpose.clone(), cure })
                }
            },
        };
        let algorithm = match jwk.public_key() {
            Ok(key) if self.admits(key.algorithm()) => Ok(key.algorithm()),
            Ok(key) => Err(Defect::AlgorithmNotAdmitted(key.algorithm())),
            // The same answer whether or not this build reads RSA keys.
            Err(JwkError::Key(KeyError::NeedsAwsLcRs)) => {
                Err(Defect::AlgorithmNotAdmitted(Algorithm::RsaPssSha512))
            }
            Err(error) => Err(Defect::Unusable(error)),
        };
        match (kid, purpose, algorithm) {
            (Ok(kid), Ok((purpose, advice)), Ok(algorithm)) if defects.is_empty() => {
                Ok(Registration {
                    kid: kid.to_owned(),
                    algorithm,
                    purpose: purpose.clone(),
                    advice,
                })
            }
            (kid, purpose, algorithm) => {
                defects.splice(0..0, kid.err());
                defects.extend(purpose.err());
                defects.extend(algorithm.err());
                Err(RegistrationError { profile: self.to_string(), defects })
            }
        }
    }
}

impl Registration {
    /// The name that signatures give the key.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The key's algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// What the key is published for.
    pub fn purpose(&self) -> &KeyPurpose {
        &self.purpose
    }

    /// What to do where the purpose is deprecated.
    pub fn advice(&self) -> Option<&'static str> {
        self.advice
    }
}

impl RegistrationError {
    /// What is wrong, at least one thing.
    pub fn defects(&self) -> &[RegistrationDefect] {
        &self.defects
    }

    /// The purpose, of a sound key that is for something else that AdCP knows.
    fn only_for_another_purpose(&self) -> Option<&KeyPurpose> {
        match self.defects.as_slice() {
            [RegistrationDefect::PurposeRefused { purpose, .. }]
                if !matches!(purpose, KeyPurpose::Unknown(_)) =>
            {
                Some(purpose)
            }
            _ => None,
        }
    }
}

impl JwksRegistration {
    /// The keys that the profile accepts, at least one.
    pub fn keys(&self) -> &[Registration] {
        &self.keys
    }

    /// The keys for other purposes: `kid` and purpose.
    pub fn elsewhere(&self) -> &[(String, KeyPurpose)] {
        &self.elsewhere
    }
}

impl JwksRegistrationError {
    /// The keys that stand in the way. None where the JWKS is sound and no key of it is for the
    /// profile.
    pub fn keys(&self) -> &[DefectiveKey] {
        &self.keys
    }
}

impl fmt::Display for RegistrationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the JWK cannot be registered for {}: ", self.profile)?;
        list(f, &self.defects)
    }
}

impl std::error::Error for RegistrationError {}

impl fmt::Display for JwksRegistrationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the JWKS cannot be registered for {}: ", self.profile)?;
        if self.keys.is_empty() {
            return f.write_str("it has no key for it");
        }
        for (index, key) in self.keys.iter().enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            write!(f, "key {}: ", key.index)?;
            list(f, key.error.defects())?;
        }
        Ok(())
    }
}

impl std::error::Error for JwksRegistrationError {}

fn list(f: &mut fmt::Formatter<'_>, defects: &[RegistrationDefect]) -> fmt::Result {
    for (index, defect) in defects.iter().enumerate() {
        if index > 0 {
            f.write_str("; ")?;
        }
        write!(f, "{defect}")?;
    }
    Ok(())
}

/// A foreign value, of bounded length.
fn shown(purpose: &KeyPurpose) -> String {
    purpose.as_str().chars().take(32).collect()
}

#[cfg(test)]
mod tests {
    use base64ct::{Base64UrlUnpadded, Encoding as _};
    use serde_json::{Value, json};

    use super::{RegistrationDefect as Defect, *};
    use crate::{keys::jwk::JwkError, profile::WireVersion};

    const KEY: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

    fn published(change: impl FnOnce(&mut Value)) -> Value {
        let mut jwk = json!({
            "kid": "a", "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig",
            "key_ops": ["verify"], "adcp_use": "request-signing", "x": KEY,
        });
        change(&mut jwk);
        jwk
    }

    fn without(member: &str) -> Value {
        published(|jwk| drop(jwk.as_object_mut().unwrap().remove(member)))
    }

    fn with(member: &str, value: Value) -> Value {
        published(|jwk| jwk[member] = value)
    }

    fn jwk(json: &Value) -> Jwk {
        Jwk::parse(json.to_string().as_bytes()).unwrap()
    }

    fn set(keys: &[Value]) -> JwkSet {
        keys.iter().map(jwk).collect()
    }

    #[test]
    fn a_sound_key_is_registered_with_what_it_is() {
        let profile = Profile::request(WireVersion::V3_3);
        let found = profile.check_registration(&jwk(&published(drop_nothing))).unwrap();
        assert_eq!((found.kid(), found.algorithm()), ("a", Algorithm::Ed25519));
        assert_eq!((found.purpose(), found.advice()), (&KeyPurpose::RequestSigning, None));
        let deprecated = jwk(&with("adcp_use", json!("webhook-signing")));
        let found = Profile::webhook().check_registration(&deprecated).unwrap();
        assert!(found.advice().unwrap().contains("deprecated"));
    }

    fn drop_nothing(_: &mut Value) {}

    #[test]
    fn each_defect_is_named() {
        let profile = Profile::request(WireVersion::V3_2);
        let publish = KeyPurpose::RequestSigning;
        let rsa = json!({
            "kid": "a", "kty": "RSA", "alg": "PS512", "use": "sig", "key_ops": ["verify"],
            "adcp_use": "request-signing", "e": "AQAB",
            "n": Base64UrlUnpadded::encode_string(&[0xc1; 256]),
        });
        for (json, expected) in [
            (without("kid"), Defect::KidMissing),
            (with("kid", json!("")), Defect::KidMissing),
            (with("kid", json!("clé")), Defect::KidUnwritable),
            (without("use"), Defect::UseMissing),
            (with("use", json!("enc")), Defect::UseNotSig),
            (without("key_ops"), Defect::KeyOpsMissing),
            (with("key_ops", json!(["sign"])), Defect::KeyOpsWithoutVerify),
            (without("adcp_use"), Defect::PurposeMissing { publish: publish.clone() }),
            (without("alg"), Defect::Unusable(JwkError::Missing { member: "alg" })),
            (
                with("adcp_use", json!("webhook-signing")),
                Defect::PurposeRefused {
                    purpose: KeyPurpose::WebhookSigning,
                    cure: "sign with a request-signing key",
                },
            ),
        ] {
            let refused = profile.check_registration(&jwk(&json)).unwrap_err();
            assert_eq!(refused.defects(), [expected], "{json}");
        }
        // A member of a wrong type also makes the key unusable.
        let array = jwk(&with("adcp_use", json!(["request-signing"])));
        let refused = profile.check_registration(&array).unwrap_err();
        assert_eq!(refused.defects()[0], Defect::PurposeMalformed { publish });
        let refused = profile.check_registration(&jwk(&rsa)).unwrap_err();
        assert_eq!(refused.defects(), [Defect::AlgorithmNotAdmitted(Algorithm::RsaPssSha512)]);
    }

    #[test]
    fn all_defects_are_named_at_once() {
        let bare = jwk(&json!({"kty": "OKP", "crv": "Ed25519"}));
        let refused = Profile::webhook().check_registration(&bare).unwrap_err();
        assert_eq!(
            refused.defects(),
            [
                Defect::KidMissing,
                Defect::UseMissing,
                Defect::KeyOpsMissing,
                Defect::PurposeMissing { publish: KeyPurpose::RequestSigning },
                Defect::Unusable(JwkError::Missing { member: "alg" }),
            ]
        );
        let text = refused.to_string();
        for member in ["`kid`", "`use`", "`key_ops`", "`adcp_use`", "`alg`"] {
            assert!(text.contains(member), "{text}");
        }
    }

    #[test]
    fn a_jwks_is_registered_whole_or_not_at_all() {
        let profile = Profile::request(WireVersion::V3_2);
        let governance = published(|jwk| {
            jwk["kid"] = json!("g");
            jwk["adcp_use"] = json!("governance-signing");
        });
        let good = published(drop_nothing);
        let found =
            profile.check_jwks_registration(&set(&[good.clone(), governance.clone()])).unwrap();
        assert_eq!(found.keys().len(), 1);
        assert_eq!(found.elsewhere(), [("g".to_owned(), KeyPurpose::GovernanceSigning)]);

        let refused = profile
            .check_jwks_registration(&set(&[
                good.clone(),
                governance.clone(),
                with("use", json!("enc")),
                without("kid"),
                published(|jwk| {
                    jwk["kid"] = json!("u");
                    jwk["adcp_use"] = json!("other");
                }),
            ]))
            .unwrap_err();
        let keys: Vec<_> = refused
            .keys()
            .iter()
            .map(|key| (key.index, key.kid.as_deref(), key.error.defects()))
            .collect();
        let unknown = Defect::PurposeRefused {
            purpose: KeyPurpose::from("other"),
            cure: "sign with a request-signing key",
        };
        assert_eq!(
            keys,
            [
                (0, Some("a"), &[Defect::KidNotUnique][..]),
                (2, Some("a"), &[Defect::KidNotUnique, Defect::UseNotSig]),
                (3, None, &[Defect::KidMissing]),
                (4, Some("u"), &[unknown]),
            ]
        );
        for none in [set(&[]), set(&[governance])] {
            let refused = profile.check_jwks_registration(&none).unwrap_err();
            assert!(refused.keys().is_empty());
            assert!(refused.to_string().contains("no key"), "{refused}");
        }
    }
}
