//! Signing and verifying with plain RFC 9421, for agreements other than AdCP.
//!
//! No AdCP profile is applied here: nothing is required of components or parameters but what the
//! caller asks for, no nonce is remembered, and the body is covered only as far as a
//! `Content-Digest` field is, whose digest the caller compares. AdCP 3.x does not sign responses
//! with RFC 9421 (it has an envelope of its own), so signatures over responses exist here only. So
//! does `rsa-pss-sha512`, which no AdCP profile admits.
//!
//! ```
//! use adcp_signing_core::PublicKey;
//! use adcp_signing_core::rfc9421::plain::{verify_request, VerifyOptions};
//! use adcp_signing_core::rfc9421::{Component, FieldLine, Request};
//!
//! // RFC 9421, appendix B.2.6.
//! let key = PublicKey::from_jwk_json(
//!     br#"{"kty":"OKP","crv":"Ed25519","alg":"EdDSA","x":"JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs"}"#,
//! )?;
//! let fields = [
//!     FieldLine::new("Host", "example.com"),
//!     FieldLine::new("Date", "Tue, 20 Apr 2021 02:07:55 GMT"),
//!     FieldLine::new("Content-Type", "application/json"),
//!     FieldLine::new("Content-Length", "18"),
//!     FieldLine::new("Signature-Input", concat!(
//!         r#"sig-b26=("date" "@method" "@path" "@authority" "content-type" "content-length")"#,
//!         r#";created=1618884473;keyid="test-key-ed25519""#,
//!     )),
//!     FieldLine::new("Signature", concat!(
//!         "sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==:",
//!     )),
//! ];
//! let request = Request::new("POST", "https://example.com/foo?param=Value&Pet=dog", &fields, b"");
//!
//! let required = [Component::new("@method", &[])?, Component::new("@path", &[])?];
//! let options = VerifyOptions::new("sig-b26", &required, 1618884480).with_max_age(300);
//! let verified = verify_request(&request, &options, |params| {
//!     (params.keyid.as_deref() == Some("test-key-ed25519")).then_some(&key)
//! })?;
//! assert_eq!(verified.params.created, Some(1618884473));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod sign;
mod verify;

pub use self::sign::{PreparedSignature, SignError, SignOptions, SignedFields, prepare, sign};
pub use self::verify::{
    VerifiedSignature, VerifyError, VerifyOptions, verify_request, verify_response,
};
