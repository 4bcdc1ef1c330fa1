//! The keys that sign: the published test keys, and a few from fixed seeds.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context as _, Result, bail};
use base64ct::{Base64UrlUnpadded, Encoding as _};
use ed25519_dalek::Signer as _;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// The published Ed25519 key that most vectors are signed with.
pub(crate) const ED25519: &str = "test-ed25519-2026";
/// The published P-256 key.
pub(crate) const ES256: &str = "test-es256-2026";
/// A second Ed25519 request-signing key, ours.
pub(crate) const SECOND: &str = "own-ed25519-second";
/// The published Ed25519 webhook-signing key.
pub(crate) const WEBHOOK: &str = "test-ed25519-webhook-2026";
/// The published request-signing key of the webhook set.
pub(crate) const WEBHOOK_REUSED: &str = "test-wrong-purpose-2026";
/// An Ed25519 governance-signing key, ours.
pub(crate) const GOVERNANCE: &str = "own-ed25519-governance";
/// An Ed25519 key for a purpose that nobody has defined, ours.
pub(crate) const UNKNOWN_PURPOSE: &str = "own-ed25519-unknown-purpose";

/// Private JWKs by `kid`, as the published key files have them.
pub(crate) struct Keys(BTreeMap<String, Value>);

impl Keys {
    pub(crate) fn load() -> Result<Self> {
        let mut keys = BTreeMap::new();
        for set in ["request-signing", "webhook-signing"] {
            let path = Path::new(env!("CARGO_MANIFEST_DIR"))
                .join(format!("../../test-vectors/adcp/3.2.4/{set}/keys.json"));
            let json: Value =
                serde_json::from_slice(&fs::read(&path).context(path.display().to_string())?)?;
            for mut key in json.get("keys").and_then(Value::as_array).cloned().unwrap_or_default() {
                let kid = key
                    .get("kid")
                    .and_then(Value::as_str)
                    .context("a published key has no kid")?
                    .to_owned();
                if let Some(members) = key.as_object_mut() {
                    members.remove("$comment");
                }
                keys.insert(kid, key);
            }
        }
        for (kid, purpose) in [
            (SECOND, "request-signing"),
            (GOVERNANCE, "governance-signing"),
            (UNKNOWN_PURPOSE, "billing-signing"),
        ] {
            let seed: [u8; 32] = Sha256::digest(format!("adcp-signing own vectors: {kid}")).into();
            let public = ed25519_dalek::SigningKey::from_bytes(&seed).verifying_key();
            let key = json!({
                "kid": kid, "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "key_ops": ["verify"],
                "adcp_use": purpose, "x": base64url(public.as_bytes()), "_private_d_for_test_only": base64url(&seed),
            });
            keys.insert(kid.to_owned(), key);
        }
        Ok(Self(keys))
    }

    /// The published half.
    pub(crate) fn public(&self, kid: &str) -> Result<Value> {
        let mut key = self.0.get(kid).with_context(|| format!("no key {kid}"))?.clone();
        if let Some(members) = key.as_object_mut() {
            members.remove("_private_d_for_test_only");
        }
        Ok(key)
    }

    /// The published half with members replaced, or taken out where the value is null.
    pub(crate) fn public_with(&self, kid: &str, members: Value) -> Result<Value> {
        let mut key = self.public(kid)?;
        let (Some(key_members), Some(changes)) = (key.as_object_mut(), members.as_object()) else {
            bail!("a JWK is an object")
        };
        for (name, value) in changes {
            if value.is_null() {
                key_members.remove(name);
            } else {
                key_members.insert(name.clone(), value.clone());
            }
        }
        Ok(key)
    }

    /// The RFC 9421 name of the key's algorithm.
    pub(crate) fn algorithm(&self, kid: &str) -> Result<&'static str> {
        match self.0.get(kid).and_then(|key| key.get("kty")?.as_str()) {
            Some("OKP") => Ok("ed25519"),
            Some("EC") => Ok("ecdsa-p256-sha256"),
            _ => bail!("no key {kid}"),
        }
    }

    /// Signs with Ed25519, or with P-256 and the nonce of RFC 6979, r and s side by side.
    pub(crate) fn sign(&self, kid: &str, message: &[u8]) -> Result<Vec<u8>> {
        let key = self.0.get(kid).with_context(|| format!("no key {kid}"))?;
        let secret = key
            .get("_private_d_for_test_only")
            .and_then(Value::as_str)
            .context("the key has no private half")?;
        let secret =
            Base64UrlUnpadded::decode_vec(secret).context("the private half is not base64url")?;
        if self.algorithm(kid)? == "ed25519" {
            let seed = secret.as_slice().try_into().context("a seed has 32 bytes")?;
            return Ok(ed25519_dalek::SigningKey::from_bytes(seed)
                .sign(message)
                .to_bytes()
                .to_vec());
        }
        let key =
            p256::ecdsa::SigningKey::from_slice(&secret).context("the scalar is no P-256 key")?;
        let signature: p256::ecdsa::Signature = p256::ecdsa::signature::Signer::sign(&key, message);
        Ok(signature.to_bytes().to_vec())
    }

    /// `keys.json` for a folder in which these keys are used.
    pub(crate) fn file<'a>(&self, kids: impl Iterator<Item = &'a String>) -> Value {
        json!({
            "$comment": "Public test keys: anyone can sign with them. Never trust them outside of these vectors.",
            "keys": kids.filter_map(|kid| self.0.get(kid)).collect::<Vec<_>>(),
        })
    }
}

pub(crate) fn base64url(bytes: &[u8]) -> String {
    Base64UrlUnpadded::encode_string(bytes)
}
