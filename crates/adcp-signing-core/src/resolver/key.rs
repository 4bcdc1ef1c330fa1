//! A published key as a verifier needs it.

use super::canonical_url;
use crate::{
    keys::{Algorithm, KeyPurpose, PublicKey, jwk::Jwk},
    target_uri::TargetUriError,
};

/// A published key as a verifier needs it: parsed once, with what it is declared for and who
/// published it.
///
/// A JWK that cannot be used is still a key with a name, so it resolves at step 7 and is refused at
/// step 8 with the reason.
///
/// ```
/// use adcp_signing_core::{Jwk, resolver::VerificationKey};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let jwk = Jwk::parse(
///     br#"{"kty":"OKP","crv":"Ed25519","alg":"EdDSA","use":"sig","key_ops":["verify"],
///         "adcp_use":"request-signing","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
/// )?;
/// let key = VerificationKey::from_jwk("buyer-2026", &jwk)
///     .with_agent_url("https://Buyer.example.com:443/adcp")?;
/// assert_eq!(key.agent_url(), Some("https://buyer.example.com/adcp"));
/// assert_eq!(key.revocation_issuer(), Some("https://buyer.example.com/"));
/// assert!(key.thumbprint().is_some());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerificationKey {
    kid: String,
    declared: Result<Declared, Unusable>,
    agent: Option<Agent>,
    revocation_issuer: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Declared {
    public: PublicKey,
    purpose: KeyPurpose,
    thumbprint: [u8; 32],
}

/// Both URLs are canonical.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Agent {
    url: String,
    origin: String,
}

/// Why a published key cannot verify anything (AdCP verifier checklist, step 8).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unusable {
    /// `use` is absent or not `sig`.
    #[error("the JWK's `use` is {}, not \"sig\"", shown(.0.as_deref()))]
    Use(Option<String>),
    /// `key_ops` is absent or lacks `verify`.
    #[error("the JWK's `key_ops` does not include \"verify\"")]
    KeyOps,
    /// `adcp_use` is absent.
    #[error("the JWK has no `adcp_use`; add what the key is for, as one string")]
    Purpose,
    /// A member has a wrong type, or `alg`, `kty`, `crv` or the key material is wrong.
    #[error("the JWK is unusable: {0}")]
    Material(String),
    /// Another key of the same set has the same `kid`.
    #[error("the JWKS holds more than one key with this `kid`")]
    AmbiguousKid,
}

fn shown(value: Option<&str>) -> String {
    value.map_or_else(
        || "absent".to_owned(),
        |value| format!("{:?}", value.chars().take(32).collect::<String>()),
    )
}

impl VerificationKey {
    /// The key that a published JWK declares.
    pub fn from_jwk(kid: impl Into<String>, jwk: &Jwk) -> Self {
        Self::new(kid.into(), Declared::from_jwk(jwk))
    }

    /// A key that the caller trusts for a purpose without a JWK.
    pub fn trusted(kid: impl Into<String>, public: PublicKey, purpose: KeyPurpose) -> Self {
        Self::new(kid.into(), Ok(Declared::new(public, purpose)))
    }

    /// Stands for several keys with one `kid` in one set, none of which can be told from the rest.
    pub(super) fn ambiguous(kid: String) -> Self {
        Self::new(kid, Err(Unusable::AmbiguousKid))
    }

    fn new(kid: String, declared: Result<Declared, Unusable>) -> Self {
        Self { kid, declared, agent: None, revocation_issuer: None }
    }

    /// Names the agent that published the key, which is the identity that a verified signature
    /// establishes.
    ///
    /// # Errors
    /// [`TargetUriError`] where the URL has no canonical form.
    pub fn with_agent_url(mut self, agent_url: &str) -> Result<Self, TargetUriError> {
        let url = canonical_url(agent_url)?;
        let origin = format!("{}://{}/", url.scheme(), url.authority());
        self.agent = Some(Agent { url: url.as_str().to_owned(), origin });
        Ok(self)
    }

    /// Names the issuer of the revocation list that speaks for the key. Without it that is the
    /// origin of the agent's URL.
    ///
    /// # Errors
    /// [`TargetUriError`] where the issuer is not a URL with a canonical form.
    pub fn with_revocation_issuer(mut self, issuer: &str) -> Result<Self, TargetUriError> {
        self.revocation_issuer = Some(canonical_url(issuer)?.as_str().to_owned());
        Ok(self)
    }

    /// The key's name. Agents choose it, so it identifies nobody: see
    /// [`agent_url`](Self::agent_url).
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The canonical URL of the agent that published the key, where the resolver knows it.
    pub fn agent_url(&self) -> Option<&str> {
        self.agent.as_ref().map(|agent| agent.url.as_str())
    }

    /// The canonical URL of the issuer whose revocation list speaks for the key: the one that was
    /// named, else the origin of the agent's URL.
    pub fn revocation_issuer(&self) -> Option<&str> {
        let of_agent = || self.agent.as_ref().map(|agent| agent.origin.as_str());
        self.revocation_issuer.as_deref().or_else(of_agent)
    }

    /// The declared purpose, of a usable key.
    pub fn purpose(&self) -> Option<&KeyPurpose> {
        self.declared.as_ref().ok().map(|declared| &declared.purpose)
    }

    /// The key's algorithm, of a usable key.
    pub fn algorithm(&self) -> Option<Algorithm> {
        self.public_key().map(PublicKey::algorithm)
    }

    /// The public key, of a usable key.
    pub fn public_key(&self) -> Option<&PublicKey> {
        self.declared.as_ref().ok().map(|declared| &declared.public)
    }

    /// The SHA-256 JWK thumbprint of the public key (RFC 7638 §3), of a usable key. Computed when
    /// the key was made.
    pub fn thumbprint(&self) -> Option<&[u8; 32]> {
        self.declared.as_ref().ok().map(|declared| &declared.thumbprint)
    }

    /// Why the key can verify nothing.
    pub fn unusable(&self) -> Option<&Unusable> {
        self.declared.as_ref().err()
    }

    /// The public key and its purpose, or why there is none.
    pub(crate) fn usable(&self) -> Result<(&PublicKey, &KeyPurpose), &Unusable> {
        self.declared.as_ref().map(|declared| (&declared.public, &declared.purpose))
    }
}

impl Declared {
    fn from_jwk(jwk: &Jwk) -> Result<Self, Unusable> {
        // Such a member reads as absent, and must not be reported as missing.
        jwk.check_types().map_err(|error| Unusable::Material(error.to_string()))?;
        if jwk.key_use() != Some("sig") {
            return Err(Unusable::Use(jwk.key_use().map(str::to_owned)));
        }
        if !jwk.key_ops().is_some_and(|ops| ops.iter().any(|op| op == "verify")) {
            return Err(Unusable::KeyOps);
        }
        let purpose = jwk.purpose().cloned().ok_or(Unusable::Purpose)?;
        let public = jwk.public_key().map_err(|error| Unusable::Material(error.to_string()))?;
        Ok(Self::new(public, purpose))
    }

    fn new(public: PublicKey, purpose: KeyPurpose) -> Self {
        Self { thumbprint: public.thumbprint_bytes(), public, purpose }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

    fn jwk(members: &str) -> Jwk {
        let json = format!(r#"{{"kty":"OKP","crv":"Ed25519","alg":"EdDSA"{members}}}"#);
        Jwk::parse(json.as_bytes()).unwrap()
    }

    fn good() -> VerificationKey {
        let x =
            format!(r#","x":"{X}","use":"sig","key_ops":["verify"],"adcp_use":"request-signing""#);
        VerificationKey::from_jwk("key", &jwk(&x))
    }

    #[test]
    fn a_usable_key_has_everything_and_its_thumbprint_is_that_of_rfc_7638() {
        let key = good();
        assert_eq!(key.unusable(), None);
        assert_eq!(key.purpose(), Some(&KeyPurpose::RequestSigning));
        assert_eq!(key.algorithm(), Some(Algorithm::Ed25519));
        let public = key.public_key().unwrap();
        assert_eq!(key.thumbprint(), Some(&public.thumbprint_bytes()));
        assert_eq!(public.thumbprint(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
        let trusted = VerificationKey::trusted("k", public.clone(), KeyPurpose::TmpSigning);
        assert_eq!(trusted.thumbprint(), key.thumbprint());
    }

    #[test]
    fn an_unusable_key_says_why_and_has_nothing() {
        let rest = r#","key_ops":["verify"],"adcp_use":"request-signing""#;
        let cases = [
            (format!(r#","x":"{X}"{rest}"#), "`use` is absent"),
            (format!(r#","x":"{X}","use":"enc"{rest}"#), "`use` is \"enc\""),
            (format!(r#","x":"{X}","use":"sig","adcp_use":"request-signing""#), "`key_ops`"),
            (format!(r#","x":"{X}","use":"sig","key_ops":["verify"]"#), "`adcp_use`"),
            (format!(r#","x":"AQ","use":"sig"{rest}"#), "unusable"),
            // Members of a wrong type are there, and are not called absent.
            (
                format!(
                    r#","x":"{X}","use":"sig","key_ops":["verify"],"adcp_use":["request-signing"]"#
                ),
                "`adcp_use` must be one string",
            ),
            (format!(r#","x":"{X}","use":["sig"]{rest}"#), "`use` must be a string"),
            (
                format!(
                    r#","x":"{X}","use":"sig","key_ops":"verify","adcp_use":"request-signing""#
                ),
                "`key_ops` must be an array of strings",
            ),
        ];
        for (members, reason) in cases {
            let Ok(jwk) = Jwk::parse(
                format!(r#"{{"kty":"OKP","crv":"Ed25519","alg":"EdDSA"{members}}}"#).as_bytes(),
            ) else {
                panic!("{members}");
            };
            let key = VerificationKey::from_jwk("key", &jwk);
            let unusable = key.unusable().unwrap().to_string();
            assert!(unusable.contains(reason), "{unusable}");
            assert!(key.usable().is_err() && key.public_key().is_none());
            assert!(key.thumbprint().is_none() && key.purpose().is_none());
            assert_eq!(key.kid(), "key");
        }
    }

    #[test]
    fn the_issuer_is_the_agents_origin_unless_one_is_named() {
        let key = good();
        assert_eq!((key.agent_url(), key.revocation_issuer()), (None, None));
        let key = key.with_agent_url("https://Buyer.Example:8443/a/../adcp/").unwrap();
        assert_eq!(key.agent_url(), Some("https://buyer.example:8443/adcp/"));
        assert_eq!(key.revocation_issuer(), Some("https://buyer.example:8443/"));
        let key = key.with_revocation_issuer("HTTPS://gov.example:443").unwrap();
        assert_eq!(key.revocation_issuer(), Some("https://gov.example/"));
        assert_eq!(key.agent_url(), Some("https://buyer.example:8443/adcp/"));
    }

    #[test]
    fn what_has_no_canonical_form_names_nobody() {
        assert!(good().with_agent_url("buyer.example").is_err());
        assert!(good().with_agent_url("https://buyer.example:099/").is_err());
        assert!(good().with_revocation_issuer("gov").is_err());
    }
}
