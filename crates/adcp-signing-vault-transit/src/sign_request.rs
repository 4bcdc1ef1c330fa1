//! The sign call of the Transit engine: its body by algorithm, and the signature in its reply.

use adcp_signing_core::{
    Algorithm, ProviderError, ProviderErrorKind, Signature, provider::KeyVersion, provider::Signed,
};
use base64ct::{Base64, Base64UrlUnpadded, Encoding as _};
use rustify::{
    endpoint::Endpoint,
    enums::{RequestMethod, RequestType, ResponseType},
    errors::ClientError,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256, Sha512};
use vaultrs::api::transit::{HashAlgorithm, MarshalingAlgorithm, SignatureAlgorithm};

use crate::{address::configuration, key_description::invalid};

/// `POST :mount/sign/:name`. The type of `vaultrs` has no `salt_length`, without which the engine
/// salts RSA-PSS as RFC 9421 §3.3.1 does not.
#[derive(Debug, Serialize)]
pub(crate) struct SignRequest {
    #[serde(skip)]
    path: String,
    input: String,
    key_version: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    prehashed: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hash_algorithm: Option<HashAlgorithm>,
    #[serde(skip_serializing_if = "Option::is_none")]
    marshaling_algorithm: Option<MarshalingAlgorithm>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signature_algorithm: Option<SignatureAlgorithm>,
    #[serde(skip_serializing_if = "Option::is_none")]
    salt_length: Option<&'static str>,
}

impl Endpoint for SignRequest {
    type Response = ();

    const REQUEST_BODY_TYPE: RequestType = RequestType::JSON;
    const RESPONSE_BODY_TYPE: ResponseType = ResponseType::JSON;

    fn path(&self) -> String {
        self.path.clone()
    }

    fn method(&self) -> RequestMethod {
        RequestMethod::POST
    }

    fn body(&self) -> Result<Option<Vec<u8>>, ClientError> {
        let json = serde_json::to_vec(self);
        json.map(Some).map_err(|error| ClientError::DataParseError { source: error.into() })
    }
}

/// The call that signs `message` with one version of a key.
pub(crate) fn request(
    (mount, name): (&str, &str),
    algorithm: Algorithm,
    version: u32,
    message: &[u8],
) -> Result<SignRequest, ProviderError> {
    let whole = SignRequest {
        path: format!("{mount}/sign/{name}"),
        input: String::new(),
        key_version: version,
        prehashed: None,
        hash_algorithm: None,
        marshaling_algorithm: None,
        signature_algorithm: None,
        salt_length: None,
    };
    Ok(match algorithm {
        // Pure Ed25519 signs the message itself; `prehashed` would ask some servers for Ed25519ph.
        Algorithm::Ed25519 => SignRequest { input: Base64::encode_string(message), ..whole },
        Algorithm::EcdsaP256Sha256 => SignRequest {
            input: Base64::encode_string(&Sha256::digest(message)),
            prehashed: Some(true),
            hash_algorithm: Some(HashAlgorithm::Sha2_256),
            marshaling_algorithm: Some(MarshalingAlgorithm::Jws),
            ..whole
        },
        Algorithm::RsaPssSha512 => SignRequest {
            input: Base64::encode_string(&Sha512::digest(message)),
            prehashed: Some(true),
            hash_algorithm: Some(HashAlgorithm::Sha2_512),
            signature_algorithm: Some(SignatureAlgorithm::Pss),
            // The engine's default is the longest salt that fits.
            salt_length: Some("hash"),
            ..whole
        },
        _ => {
            return Err(configuration(
                "the Transit engine cannot sign with this algorithm (`alg=`)",
            ));
        }
    })
}

/// The signature in the reply to the body above.
pub(crate) fn signed(
    algorithm: Algorithm,
    version: u32,
    reply: &[u8],
) -> Result<Signed, ProviderError> {
    #[derive(Deserialize)]
    struct Reply {
        data: Data,
    }
    #[derive(Deserialize)]
    struct Data {
        signature: String,
    }
    let Reply { data } = serde_json::from_slice(reply)
        .map_err(|_| invalid("the server's reply holds no signature"))?;
    let (used, text) = split(&data.signature)
        .ok_or_else(|| invalid("the server's signature does not start with `vault:vN:`"))?;
    if used != version {
        return Err(ProviderError::new(
            ProviderErrorKind::PublicKeyMismatch,
            "the server signed with another version of the key than it was asked for",
        ));
    }
    let bytes = match algorithm {
        // The `jws` form: r and s, in URL-safe Base64.
        Algorithm::EcdsaP256Sha256 => Base64UrlUnpadded::decode_vec(text),
        _ => Base64::decode_vec(text),
    }
    .map_err(|_| invalid("the server's signature is not in Base64"))?;
    let signature = Signature::from_raw(algorithm, &bytes).map_err(|error| {
        invalid("the server's signature is not one of this algorithm").with_source(error)
    })?;
    Ok(Signed::new(signature).with_key_version(KeyVersion::new(used.to_string())))
}

/// `vault:vN:SIGNATURE`; OpenBao writes the same prefix.
fn split(text: &str) -> Option<(u32, &str)> {
    let (version, signature) = text.strip_prefix("vault:v")?.split_once(':')?;
    let plain = version.bytes().all(|byte| byte.is_ascii_digit());
    Some((version.parse().ok().filter(|_| plain)?, signature))
}

#[cfg(test)]
mod tests {
    use ProviderErrorKind::{InvalidResponse, PublicKeyMismatch};

    use super::*;

    fn body(algorithm: Algorithm) -> String {
        let request = request(("transit", "buyer"), algorithm, 3, b"x").unwrap();
        assert_eq!(request.path(), "transit/sign/buyer");
        String::from_utf8(request.body().unwrap().unwrap()).unwrap()
    }

    #[test]
    fn each_algorithm_is_asked_for_as_rfc_9421_has_it() {
        for (algorithm, expected) in [
            (Algorithm::Ed25519, r#"{"input":"eA==","key_version":3}"#),
            (
                Algorithm::EcdsaP256Sha256,
                r#"{"input":"LXEWQrcmsEQBYnyp+6wy9chTD7GQPMTbAiWHF5IaSIE=","key_version":3,"prehashed":true,"#,
            ),
        ] {
            let body = body(algorithm);
            assert!(body.starts_with(expected), "{body}");
        }
        let p256 = body(Algorithm::EcdsaP256Sha256);
        assert!(
            p256.ends_with(r#""hash_algorithm":"sha2-256","marshaling_algorithm":"jws"}"#),
            "{p256}"
        );
        let rsa = body(Algorithm::RsaPssSha512);
        let options = r#""prehashed":true,"hash_algorithm":"sha2-512","signature_algorithm":"pss","salt_length":"hash"}"#;
        assert!(rsa.ends_with(options), "{rsa}");
    }

    #[test]
    fn a_reply_is_the_signature_and_the_version_that_made_it() {
        let bytes: Vec<u8> = (192..=255).collect();
        for (algorithm, text) in [
            (Algorithm::Ed25519, Base64::encode_string(&bytes)),
            (Algorithm::EcdsaP256Sha256, Base64UrlUnpadded::encode_string(&bytes)),
        ] {
            let reply = format!(r#"{{"data":{{"signature":"vault:v12:{text}"}}}}"#);
            let signed = signed(algorithm, 12, reply.as_bytes()).unwrap();
            assert_eq!(signed.signature.as_bytes(), bytes);
            assert_eq!(signed.key_version.unwrap().expose(), "12");
        }
    }

    #[test]
    fn a_reply_that_is_none_is_refused() {
        let sixty_four = Base64::encode_string(&[7; 64]);
        for (signature, kind) in [
            (format!("vault:v2:{sixty_four}"), PublicKeyMismatch),
            (format!("vault:v:{sixty_four}"), InvalidResponse),
            (format!("vault:v+1:{sixty_four}"), InvalidResponse),
            (format!("vault:v4294967297:{sixty_four}"), InvalidResponse),
            (format!("vault:1:{sixty_four}"), InvalidResponse),
            (sixty_four.clone(), InvalidResponse),
            (format!("vault:v1:{}", Base64::encode_string(&[7; 63])), InvalidResponse),
            ("vault:v1:*".to_owned(), InvalidResponse),
            ("vault:v1:".to_owned(), InvalidResponse),
        ] {
            let reply = format!(r#"{{"data":{{"signature":"{signature}"}}}}"#);
            let error = signed(Algorithm::Ed25519, 1, reply.as_bytes()).unwrap_err();
            assert_eq!(error.kind(), kind, "{signature}");
        }
        for reply in ["", "<html>", r#"{"data":null}"#, r#"{"errors":[]}"#] {
            assert_eq!(
                signed(Algorithm::Ed25519, 1, reply.as_bytes()).unwrap_err().kind(),
                InvalidResponse
            );
        }
    }
}
