//! Plain RFC 9421 signing (§3.1): prepare, sign, write the two members.

use crate::{
    keys::{Algorithm, Signature},
    provider::{ProviderError, SigningProvider},
    rfc9421::{
        Component, ComponentError, ComponentSource, SignatureParams, inner_list_text,
        signature_base,
        structured_fields::{Alphabet, WriteError, push_byte_sequence, push_key},
    },
};

/// What to sign, and under which label.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SignOptions<'a> {
    /// The label that ties the members of `Signature-Input` and `Signature` together.
    pub label: &'a str,
    /// The covered components, in order.
    pub components: &'a [Component<'a>],
    /// The signature parameters.
    pub params: SignatureParams<'a>,
}

impl<'a> SignOptions<'a> {
    /// What to sign, under this label, with these parameters.
    pub fn new(
        label: &'a str,
        components: &'a [Component<'a>],
        params: SignatureParams<'a>,
    ) -> Self {
        Self { label, components, params }
    }
}

/// A signature base, to be signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreparedSignature {
    label: String,
    params_text: String,
    base: Vec<u8>,
}

/// The members that a signed message carries, without field names. A message that already has such
/// fields gets another line of each.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SignedFields {
    /// The value for `Signature-Input`.
    pub signature_input: String,
    /// The value for `Signature`.
    pub signature: String,
}

/// Why a message was not signed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// A covered component has no value, or is covered twice.
    #[error(transparent)]
    Component(#[from] ComponentError),
    /// The label or a parameter cannot be written in a structured field.
    #[error("the label or a signature parameter cannot be written: {0}")]
    Write(#[from] WriteError),
    /// The `alg` parameter names another algorithm than the provider's.
    #[error("the alg parameter names another algorithm than the provider's, {provider}")]
    Algorithm {
        /// The provider's algorithm.
        provider: Algorithm,
    },
    /// The `keyid` parameter names another key than the provider's.
    #[error("the keyid parameter names another key than the provider's")]
    KeyId,
    /// The provider returned a signature of another algorithm than its own.
    #[error("the provider for {provider} returned a signature of {returned}")]
    WrongSignature {
        /// The provider's algorithm.
        provider: Algorithm,
        /// That of the signature.
        returned: Algorithm,
    },
    /// The provider did not sign.
    #[error("the provider did not sign: {0}")]
    Provider(#[from] ProviderError),
}

/// Builds the signature base over a request or a response.
///
/// # Errors
/// [`SignError`] if a component has no value or is covered twice, or if label or parameters cannot be written.
pub fn prepare(
    source: &dyn ComponentSource,
    options: &SignOptions<'_>,
) -> Result<PreparedSignature, SignError> {
    let mut label = String::new();
    push_key(&mut label, options.label)?;
    for (index, component) in options.components.iter().enumerate() {
        if options.components.iter().take(index).any(|earlier| earlier == component) {
            return Err(ComponentError::Duplicate(component.to_string()).into());
        }
    }
    let params_text = inner_list_text(options.components, &options.params)?;
    let base = signature_base(options.components, &params_text, source)?;
    Ok(PreparedSignature { label, params_text, base })
}

/// Signs a request or a response with a provider. The message is not changed: the caller adds the
/// two fields.
///
/// # Errors
/// [`SignError`]. If `options` name an algorithm or a key, it must be the provider's.
pub async fn sign(
    source: &(dyn ComponentSource + Sync),
    options: &SignOptions<'_>,
    provider: &dyn SigningProvider,
) -> Result<SignedFields, SignError> {
    let algorithm = provider.algorithm();
    if options.params.alg.as_deref().is_some_and(|alg| alg != algorithm.rfc9421_name()) {
        return Err(SignError::Algorithm { provider: algorithm });
    }
    if options.params.keyid.as_deref().is_some_and(|keyid| keyid != provider.key_id()) {
        return Err(SignError::KeyId);
    }
    let prepared = prepare(source, options)?;
    let signature = provider.sign(prepared.base()).await?.signature;
    if signature.algorithm() != algorithm {
        return Err(SignError::WrongSignature {
            provider: algorithm,
            returned: signature.algorithm(),
        });
    }
    Ok(prepared.finish(&signature))
}

impl PreparedSignature {
    /// The signature base: the bytes to sign, whole.
    pub fn base(&self) -> &[u8] {
        &self.base
    }

    /// The member of `Signature-Input`: label, components and parameters.
    pub fn signature_input_member(&self) -> String {
        format!("{}={}", self.label, self.params_text)
    }

    /// The two members, once [`base`](Self::base) is signed.
    pub fn finish(&self, signature: &Signature) -> SignedFields {
        let mut member = format!("{}=", self.label);
        push_byte_sequence(&mut member, signature.as_bytes(), Alphabet::Standard);
        SignedFields { signature_input: self.signature_input_member(), signature: member }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        keys::KeyPurpose,
        provider::InMemoryProvider,
        rfc9421::{
            ComponentParam, FieldLine, Request, Response, ResponseInContext,
            plain::{VerifyError, VerifyOptions, verify_request, verify_response},
        },
    };

    fn algorithms() -> impl Iterator<Item = Algorithm> {
        let here = |algorithm: &Algorithm| {
            cfg!(feature = "aws-lc-rs") || *algorithm != Algorithm::RsaPssSha512
        };
        Algorithm::ALL.into_iter().filter(here)
    }

    #[tokio::test]
    async fn what_a_provider_signs_verifies_for_every_algorithm() {
        let unsigned = Request::new("POST", "https://example.com/a?b", &[], b"");
        let covered =
            ["@method", "@target-uri", "@query"].map(|name| Component::new(name, &[]).unwrap());
        let reply_covers = [
            Component::new("@status", &[]).unwrap(),
            Component::new("@method", &[ComponentParam::Req]).unwrap(),
            Component::new("signature", &[ComponentParam::Req, ComponentParam::Key("s")]).unwrap(),
        ];
        for algorithm in algorithms() {
            let provider =
                InMemoryProvider::generate(algorithm, KeyPurpose::RequestSigning).unwrap();
            let params = |created| SignatureParams {
                created: Some(created),
                keyid: Some(provider.key_id().to_owned().into()),
                alg: Some(algorithm.rfc9421_name().into()),
                ..Default::default()
            };
            let options = SignOptions { label: "s", components: &covered, params: params(1_000) };
            let signed = sign(&unsigned, &options, &provider).await.unwrap();
            let fields = [
                FieldLine::new("Signature-Input", &signed.signature_input),
                FieldLine::new("Signature", &signed.signature),
            ];
            let request = Request { fields: &fields, ..unsigned };
            let key = provider.verifying_key();
            let checks = VerifyOptions::new("s", &covered, 1_000);
            assert!(verify_request(&request, &checks, |_| Some(key)).is_ok(), "{algorithm}");
            let changed = Request { url: "https://example.com/a?c", ..request };
            let refused = verify_request(&changed, &checks, |_| Some(key));
            assert_eq!(refused, Err(VerifyError::Invalid), "{algorithm}");

            let response = Response { status: 200, fields: &[], body: b"" };
            let unsigned = ResponseInContext { response, request: Some(request) };
            let options =
                SignOptions { label: "r", components: &reply_covers, params: params(1_001) };
            let signed = sign(&unsigned, &options, &provider).await.unwrap();
            let fields = [
                FieldLine::new("Signature-Input", &signed.signature_input),
                FieldLine::new("Signature", &signed.signature),
            ];
            let reply = ResponseInContext {
                response: Response { fields: &fields, ..response },
                ..unsigned
            };
            let checks = VerifyOptions::new("r", &reply_covers, 1_001);
            assert!(verify_response(&reply, &checks, |_| Some(key)).is_ok(), "{algorithm}");
        }
    }

    #[tokio::test]
    async fn parameters_that_name_another_key_or_algorithm_are_not_signed() {
        let provider =
            InMemoryProvider::generate(Algorithm::Ed25519, KeyPurpose::RequestSigning).unwrap();
        let request = Request::new("GET", "https://example.com/", &[], b"");
        let attempt = async |params| {
            sign(&request, &SignOptions { label: "s", components: &[], params }, &provider).await
        };
        let alg = SignatureParams { alg: Some("rsa-pss-sha512".into()), ..Default::default() };
        let refused = attempt(alg).await;
        assert!(
            matches!(refused, Err(SignError::Algorithm { provider: Algorithm::Ed25519 })),
            "{refused:?}"
        );
        let keyid = SignatureParams { keyid: Some("other".into()), ..Default::default() };
        let refused = attempt(keyid).await;
        assert!(matches!(refused, Err(SignError::KeyId)), "{refused:?}");
    }

    fn refused(label: &str, components: &[Component<'_>], params: SignatureParams<'_>) -> String {
        let request = Request::new("GET", "https://example.com/", &[], b"");
        let options = SignOptions { label, components, params };
        prepare(&request, &options).unwrap_err().to_string()
    }

    #[test]
    fn what_a_verifier_would_refuse_is_not_prepared() {
        let method = || Component::new("@method", &[]).unwrap();
        let params = SignatureParams::default;
        assert_eq!(
            refused("s", &[method(), method()], params()),
            "component \"@method\" is covered twice"
        );
        assert!(refused("Sig", &[method()], params()).contains("a key begins with"));
        let nonce = SignatureParams { nonce: Some("a\n".into()), ..params() };
        assert!(refused("s", &[method()], nonce).contains("not printable ASCII"));
        let absent = Component::new("date", &[]).unwrap();
        assert_eq!(refused("s", &[absent], params()), "component \"date\" is not in the message");
    }

    #[test]
    fn the_members_have_label_text_and_padded_base64() {
        let request = Request::new("GET", "https://example.com/", &[], b"");
        let components = [Component::new("@method", &[]).unwrap()];
        let params = SignatureParams { created: Some(1), ..Default::default() };
        let prepared =
            prepare(&request, &SignOptions { label: "s", components: &components, params })
                .unwrap();
        assert_eq!(
            prepared.base(),
            b"\"@method\": GET\n\"@signature-params\": (\"@method\");created=1"
        );
        let signature = Signature::from_raw(Algorithm::Ed25519, &[0xfb; 64]).unwrap();
        let fields = prepared.finish(&signature);
        assert_eq!(fields.signature_input, "s=(\"@method\");created=1");
        assert_eq!(fields.signature, format!("s=:{}+w==:", "+/v7".repeat(21)));
    }
}
