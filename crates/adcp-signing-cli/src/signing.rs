//! From a `sign` input to the signed message.

use std::sync::Arc;

use adcp_signing::{
    Nonce, SigningProvider, UnixSeconds,
    profile::LABEL,
    rfc9421::{
        Request,
        structured_fields::{BareItem, Dictionary, MemberValue},
    },
    sign::{AmbiguousUrls, DigestCoverage, SignOptions, SignedFields, Signer},
};
use serde_json::{Map, Value, json};

use crate::{
    failure::Failure,
    keys::Keys,
    shapes::{Headers, SignInput, inline_key},
};

/// A signed message.
pub(crate) struct Signed {
    /// All field lines, those of the signature last.
    pub(crate) headers: Headers,
    pub(crate) signature_base: String,
    pub(crate) signature_input: String,
    pub(crate) label: String,
}

/// Signs the message of an input with the key that the input names.
pub(crate) async fn sign(input: &SignInput, keys: &mut Keys) -> Result<Signed, Failure> {
    let signed = sign_with(provider(input, keys).await?, input).await;
    signed.map_err(|failure| match &input.options.key_uri {
        Some(uri) => failure.while_doing("signing with", uri),
        None => failure,
    })
}

/// Signs the message of an input with a key.
pub(crate) async fn sign_with(
    provider: Arc<dyn SigningProvider>,
    input: &SignInput,
) -> Result<Signed, Failure> {
    let profile = input.selector.profile()?;
    let failed = |error| Failure::from_sign(&error, &profile);
    let coverage = match input.options.cover_content_digest {
        Some(false) => DigestCoverage::Leave,
        Some(true) => DigestCoverage::Always,
        None => DigestCoverage::Cover,
    };
    let ambiguous = if input.options.allow_ambiguous_url == Some(true) {
        AmbiguousUrls::Allow
    } else {
        AmbiguousUrls::Refuse
    };
    let signer = Signer::new(profile.clone(), Arc::clone(&provider))
        .map_err(failed)?
        .with_digest_coverage(coverage)
        .with_ambiguous_urls(ambiguous);
    let label = input.options.label.clone().unwrap_or_else(|| LABEL.to_owned());
    let mut sign_options = SignOptions::default();
    sign_options.created = input.options.created.map(UnixSeconds::new);
    sign_options.expires_in = input.options.expires_in;
    sign_options.nonce = input
        .options
        .nonce
        .as_deref()
        .map(Nonce::parse)
        .transpose()
        .map_err(|error| failed(error.into()))?;
    sign_options.label = Some(label.clone());
    let body = input.message.body_bytes()?;
    let lines = input.message.lines();
    let request = Request::new(&input.message.method, &input.message.url, &lines, &body)
        .with_pseudo_authority(input.message.pseudo_authority()?);
    // Prepared once and signed by the key itself, so that the base shown is the base signed.
    let prepared = signer.prepare(&request, &sign_options).await.map_err(failed)?;
    let signature_base = String::from_utf8_lossy(prepared.signature_base()).into_owned();
    let signed =
        provider.sign(prepared.signature_base()).await.map_err(|error| failed(error.into()))?;
    let fields = prepared.finalize(&signed.signature).map_err(failed)?;
    let headers = signed_headers(&input.message.headers, &fields);
    Ok(Signed { headers, signature_base, signature_input: fields.signature_input, label })
}

async fn provider(input: &SignInput, keys: &mut Keys) -> Result<Arc<dyn SigningProvider>, Failure> {
    match (&input.options.key, &input.options.key_uri, &input.options.keyid) {
        (Some(key), None, keyid) => {
            let provider = inline_key(key, &input.selector.profile()?)?;
            Ok(Arc::new(match keyid {
                Some(keyid) => provider.with_key_id(keyid),
                None => provider,
            }))
        }
        (None, Some(uri), None) => keys.open(uri).await,
        (None, Some(_), Some(_)) => Err(Failure::invalid(
            "keyid goes with an inline key; write ?kid= in the key URI instead",
        )),
        (Some(_), Some(_), _) => Err(Failure::invalid("key and key_uri are both given; keep one")),
        (None, None, _) => {
            Err(Failure::invalid("no key: give key (a private JWK), key_uri, or --key URI"))
        }
    }
}

/// The message's own lines, with those of the signature in place of any of the same name.
fn signed_headers(original: &Headers, fields: &SignedFields) -> Headers {
    let replaced = |name: &str| fields.iter().any(|(set, _)| set.eq_ignore_ascii_case(name));
    let kept = original.0.iter().filter(|(name, _)| !replaced(name)).cloned();
    let set = fields.iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
    Headers(kept.chain(set).collect())
}

impl Signed {
    /// The answer to a line of `--ndjson`.
    pub(crate) fn to_json(&self) -> Value {
        let mut headers = Map::new();
        for (name, value) in &self.headers.0 {
            let value = Value::from(value.clone());
            match headers.get_mut(name) {
                None => drop(headers.insert(name.clone(), value)),
                Some(Value::Array(values)) => values.push(value),
                Some(first) => *first = Value::Array(vec![first.take(), value]),
            }
        }
        json!({
            "ok": true,
            "headers": headers,
            "signature_base": self.signature_base,
            "params": self.params(),
        })
    }

    /// The signature parameters, as a verifier reads them.
    fn params(&self) -> Value {
        let mut params = Map::new();
        let Ok(dictionary) = Dictionary::parse(self.signature_input.as_bytes()) else {
            return Value::Null;
        };
        if let Some(MemberValue::InnerList(list)) =
            dictionary.get(&self.label).map(|member| &member.value)
        {
            for (name, value) in list.params.iter() {
                let value = match value {
                    BareItem::Integer(number) => Value::from(*number),
                    BareItem::String(text) => Value::from(text.as_ref()),
                    _ => Value::Null,
                };
                params.insert(name.to_owned(), value);
            }
        }
        Value::Object(params)
    }
}
