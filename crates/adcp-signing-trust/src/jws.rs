//! JSON Web Signatures (RFC 7515): the three serializations, read strictly.

use std::borrow::Cow;

use adcp_signing_core::{
    Algorithm, StrictJsonError,
    json::{Document, JsonLimits, Kind, Value},
};
use base64ct::{Base64UrlUnpadded, Encoding as _};

/// The most signatures of one payload that are read.
const MAX_SIGNATURES: usize = 8;
/// The longest protected header, encoded.
const MAX_HEADER_BYTES: usize = 4096;

/// A signed payload whose signatures nobody has verified yet.
pub(crate) struct Jws<'a> {
    /// As it is signed.
    encoded: Cow<'a, str>,
    payload: Vec<u8>,
    signatures: Vec<JwsSignature<'a>>,
}

/// One signature, with what its protected header says.
pub(crate) struct JwsSignature<'a> {
    protected: Cow<'a, str>,
    pub(crate) algorithm: Algorithm,
    pub(crate) kid: String,
    pub(crate) bytes: Vec<u8>,
    /// The extensions that `crit` lists, each with its marker `true` in the header.
    pub(crate) critical: Vec<&'static str>,
}

/// Why a text is not a JWS of the kind that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JwsError {
    /// Neither of the serializations.
    #[error("it is not a JWS: neither three parts with dots between them nor a JSON object")]
    Form,
    /// The JSON serialization is not strict JSON.
    #[error("the JWS is not strict JSON: {0}")]
    Json(StrictJsonError),
    /// A member of the JSON serialization is missing, is not wanted or has a wrong type.
    #[error(
        "`{member}` of the JWS is missing, misplaced or of a wrong type; write `payload`, and \
         either `protected` and `signature` or `signatures`"
    )]
    Member {
        /// The member.
        member: &'static str,
    },
    /// A part is not Base64url without padding.
    #[error("the {part} of the JWS is not Base64url without padding")]
    Base64 {
        /// The part.
        part: &'static str,
    },
    /// No signature, or too many.
    #[error("the JWS has {count} signatures; from 1 to {max} are read", max = MAX_SIGNATURES)]
    Signatures {
        /// How many there are.
        count: usize,
    },
    /// The protected header is too long.
    #[error("the protected header of the JWS is longer than {max} characters", max = MAX_HEADER_BYTES)]
    HeaderTooLong,
    /// The protected header is not strict JSON.
    #[error("the protected header of the JWS is not strict JSON: {0}")]
    Header(StrictJsonError),
    /// `typ` is missing or names another kind of JWS.
    #[error("the JWS is not of the type that is wanted here: its `typ` has to be {expected:?}")]
    Type {
        /// What it has to be.
        expected: &'static str,
    },
    /// The header asks for something that is not understood.
    #[error("the protected header of the JWS has `{member}`, which no signature here may need")]
    Extension {
        /// The member.
        member: &'static str,
    },
    /// `crit` and the markers of the extensions do not agree, or `crit` lists an unknown one.
    #[error(
        "`crit` of the JWS is malformed, lists an extension that is not understood here, or does \
         not agree with the markers in the header: each extension stands in `crit` once and is \
         `true` in the header"
    )]
    Critical,
    /// `alg` is missing or not allowed.
    #[error("the `alg` of the JWS has to be EdDSA or ES256")]
    Algorithm,
    /// `kid` is missing.
    #[error("the protected header of the JWS names no key: it has no `kid`")]
    NoKid,
}

impl<'a> Jws<'a> {
    /// Reads a JWS of this `typ` in compact, flattened or general JSON serialization (RFC 7515 §7).
    pub(crate) fn parse(text: &'a [u8], typ: &'static str) -> Result<Self, JwsError> {
        Self::parse_extended(text, typ, &[])
    }

    /// As [`parse`](Self::parse), where `crit` may list these extensions, each of which is a boolean
    /// member of the protected header (RFC 7515 §4.1.11).
    pub(crate) fn parse_extended(
        text: &'a [u8],
        typ: &'static str,
        understood: &[&'static str],
    ) -> Result<Self, JwsError> {
        let text = text.trim_ascii();
        let (encoded, parts) = match text.first() {
            Some(b'{') => Self::read_json(text)?,
            _ => Self::read_compact(text)?,
        };
        let payload = decode(&encoded, "payload")?;
        let signatures = parts
            .into_iter()
            .map(|(protected, signature)| {
                JwsSignature::read(protected, &signature, typ, understood)
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { encoded, payload, signatures })
    }

    /// A JWS of a payload that travels decoded, with its encoded header and signature.
    pub(crate) fn of_parts(
        protected: &'a str,
        payload: Vec<u8>,
        signature: &str,
        typ: &'static str,
    ) -> Result<Self, JwsError> {
        let signatures = vec![JwsSignature::read(protected.into(), signature, typ, &[])?];
        Ok(Self { encoded: Base64UrlUnpadded::encode_string(&payload).into(), payload, signatures })
    }

    /// The payload, which nobody vouches for until a signature was verified.
    pub(crate) fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// At least one.
    pub(crate) fn signatures(&self) -> &[JwsSignature<'a>] {
        &self.signatures
    }

    /// What a signature signs (RFC 7515 §5.1).
    pub(crate) fn signing_input(&self, signature: &JwsSignature<'_>) -> Vec<u8> {
        signing_input(&signature.protected, &self.encoded)
    }

    #[allow(clippy::type_complexity, reason = "the payload, then header and signature of each")]
    fn read_compact(
        text: &'a [u8],
    ) -> Result<(Cow<'a, str>, Vec<(Cow<'a, str>, Cow<'a, str>)>), JwsError> {
        let text = std::str::from_utf8(text).map_err(|_| JwsError::Form)?;
        let mut parts = text.split('.');
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(protected), Some(payload), Some(signature), None) => {
                Ok((payload.into(), vec![(protected.into(), signature.into())]))
            }
            _ => Err(JwsError::Form),
        }
    }

    #[allow(clippy::type_complexity, reason = "as for the compact form")]
    fn read_json(
        text: &'a [u8],
    ) -> Result<(Cow<'a, str>, Vec<(Cow<'a, str>, Cow<'a, str>)>), JwsError> {
        let document =
            Document::without_duplicates(text, &JsonLimits::default()).map_err(JwsError::Json)?;
        let root = document.root();
        let payload = string(root, "payload")?;
        let Some(signatures) = root.member("signatures") else {
            return Ok((payload, vec![Self::read_signature(root)?]));
        };
        // A text that is both could be read in two ways (RFC 7515 §7.2.2).
        for member in ["signature", "protected", "header"] {
            if root.member(member).is_some() {
                return Err(JwsError::Member { member });
            }
        }
        if signatures.kind() != Kind::Array {
            return Err(JwsError::Member { member: "signatures" });
        }
        let count = signatures.elements().count();
        if count == 0 || count > MAX_SIGNATURES {
            return Err(JwsError::Signatures { count });
        }
        let signatures = signatures.elements().map(Self::read_signature);
        Ok((payload, signatures.collect::<Result<_, _>>()?))
    }

    fn read_signature(object: Value<'_, 'a>) -> Result<(Cow<'a, str>, Cow<'a, str>), JwsError> {
        // What a header says has to be signed.
        if object.member("header").is_some() {
            return Err(JwsError::Member { member: "header" });
        }
        Ok((string(object, "protected")?, string(object, "signature")?))
    }
}

impl<'a> JwsSignature<'a> {
    fn read(
        protected: Cow<'a, str>,
        signature: &str,
        typ: &'static str,
        understood: &[&'static str],
    ) -> Result<Self, JwsError> {
        if protected.len() > MAX_HEADER_BYTES {
            return Err(JwsError::HeaderTooLong);
        }
        let header = decode(&protected, "protected header")?;
        let header = Document::without_duplicates(&header, &JsonLimits::default())
            .map_err(JwsError::Header)?;
        let header = header.root();
        let text = |member| header.member(member).and_then(|value| value.as_str());
        if text("typ").as_deref() != Some(typ) {
            return Err(JwsError::Type { expected: typ });
        }
        if header.member("b64").is_some() {
            return Err(JwsError::Extension { member: "b64" });
        }
        if understood.is_empty() && header.member("crit").is_some() {
            return Err(JwsError::Extension { member: "crit" });
        }
        let critical = critical(header, understood)?;
        let allowed = [Algorithm::Ed25519, Algorithm::EcdsaP256Sha256];
        let algorithm = allowed
            .into_iter()
            .find(|algorithm| text("alg").as_deref() == Some(algorithm.jose_name()))
            .ok_or(JwsError::Algorithm)?;
        let kid = text("kid").filter(|kid| !kid.is_empty()).ok_or(JwsError::NoKid)?.into_owned();
        let bytes = decode(signature, "signature")?;
        Ok(Self { protected, algorithm, kid, bytes, critical })
    }
}

/// The extensions of this header: those that `crit` lists are those whose marker is `true`.
fn critical(
    header: Value<'_, '_>,
    understood: &[&'static str],
) -> Result<Vec<&'static str>, JwsError> {
    let mut listed = Vec::new();
    if let Some(crit) = header.member("crit") {
        for name in crit.elements() {
            let name = name.as_str().ok_or(JwsError::Critical)?;
            let known = understood.iter().find(|known| **known == name);
            let known = known.copied().ok_or(JwsError::Critical)?;
            if listed.contains(&known) {
                return Err(JwsError::Critical);
            }
            listed.push(known);
        }
        // A list that is empty or not a list asks for nothing that could be understood.
        if listed.is_empty() {
            return Err(JwsError::Critical);
        }
    }
    for name in understood {
        let marker = header.member(name);
        let is_true = marker.and_then(|marker| marker.as_bool()) == Some(true);
        if marker.is_some() != listed.contains(name) || marker.is_some() != is_true {
            return Err(JwsError::Critical);
        }
    }
    Ok(listed)
}

/// What a signature signs, of parts that are encoded.
pub(crate) fn signing_input(protected: &str, payload: &str) -> Vec<u8> {
    [protected.as_bytes(), b".", payload.as_bytes()].concat()
}

fn string<'a>(object: Value<'_, 'a>, member: &'static str) -> Result<Cow<'a, str>, JwsError> {
    object.member(member).and_then(|value| value.as_str()).ok_or(JwsError::Member { member })
}

fn decode(text: &str, part: &'static str) -> Result<Vec<u8>, JwsError> {
    Base64UrlUnpadded::decode_vec(text).map_err(|_| JwsError::Base64 { part })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const TYP: &str = "a+jws";

    fn b64(bytes: impl AsRef<[u8]>) -> String {
        Base64UrlUnpadded::encode_string(bytes.as_ref())
    }

    fn header(change: impl FnOnce(&mut Value)) -> String {
        let mut header = json!({"alg": "EdDSA", "kid": "k", "typ": TYP});
        change(&mut header);
        b64(header.to_string())
    }

    fn parse(text: impl AsRef<[u8]>) -> Result<(Vec<u8>, Vec<String>), JwsError> {
        let text = text.as_ref().to_vec();
        let jws = Jws::parse(&text, TYP)?;
        let kids = jws.signatures().iter().map(|signature| signature.kid.clone()).collect();
        Ok((jws.payload().to_vec(), kids))
    }

    fn compact(header: &str) -> String {
        format!("{header}.{}.{}", b64("payload"), b64("signature"))
    }

    #[test]
    fn the_three_serializations_are_read_alike() {
        let (protected, payload) = (header(|_| {}), b64("payload"));
        let signature = json!({"protected": protected, "signature": b64("signature")});
        let mut flattened = signature.clone();
        flattened["payload"] = json!(payload);
        let general = json!({"payload": payload, "signatures": [signature], "ignored": 1});
        let texts = [compact(&protected), flattened.to_string(), general.to_string()];
        for text in texts {
            let padded = format!(" {text}\n");
            let jws = Jws::parse(padded.as_bytes(), TYP).unwrap();
            assert_eq!(jws.payload(), b"payload", "{text}");
            let [signature] = jws.signatures() else { panic!("{text}") };
            assert_eq!((signature.kid.as_str(), &*signature.bytes), ("k", &b"signature"[..]));
            assert_eq!(signature.algorithm, Algorithm::Ed25519);
            let input = format!("{protected}.{payload}");
            assert_eq!(jws.signing_input(signature), input.as_bytes(), "{text}");
        }
        let es256 = header(|header| header["alg"] = json!("ES256"));
        let text = compact(&es256);
        let jws = Jws::parse(text.as_bytes(), TYP).unwrap();
        assert_eq!(jws.signatures()[0].algorithm, Algorithm::EcdsaP256Sha256);
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_refused() {
        let (protected, payload) = (header(|_| {}), b64("payload"));
        let signature = json!({"protected": protected, "signature": b64("signature")});
        let member = |member| Err(JwsError::Member { member });
        for (name, value) in [
            ("signature", signature["signature"].clone()),
            ("protected", signature["protected"].clone()),
            ("header", json!({})),
        ] {
            let mut both = json!({"payload": payload, "signatures": [signature]});
            both[name] = value;
            assert_eq!(parse(both.to_string()), member(name));
        }
        let mut unprotected = signature.clone();
        unprotected["header"] = json!({"kid": "other"});
        let general = json!({"payload": payload, "signatures": [unprotected]});
        assert_eq!(parse(general.to_string()), member("header"));
        for (text, expected) in [
            (json!({"payload": 1}), "payload"),
            (json!({"payload": payload, "signatures": {}}), "signatures"),
            (json!({"payload": payload, "signature": ""}), "protected"),
            (json!({"payload": payload, "protected": protected}), "signature"),
        ] {
            assert_eq!(parse(text.to_string()), member(expected), "{text}");
        }
        let twice = format!(r#"{{"payload":"","payload":"{payload}"}}"#);
        assert!(matches!(parse(twice), Err(JwsError::Json(StrictJsonError::Duplicate(_)))));
    }

    #[test]
    fn one_to_eight_signatures_are_read() {
        let signature = json!({"protected": header(|_| {}), "signature": ""});
        for count in [0, 1, 8, 9] {
            let text = json!({"payload": "", "signatures": vec![signature.clone(); count]});
            let read = parse(text.to_string());
            match count {
                1 | 8 => assert_eq!(read.unwrap().1.len(), count),
                _ => assert_eq!(read, Err(JwsError::Signatures { count })),
            }
        }
    }

    #[test]
    fn another_form_is_refused() {
        for text in ["", "a.b", "a.b.c.d", "[]", "\u{e9}.a.b", "<html>"] {
            let refused = parse(text);
            assert!(
                matches!(refused, Err(JwsError::Form | JwsError::Base64 { .. })),
                "{text}: {refused:?}"
            );
        }
        assert_eq!(parse(b"\xff.a.b"), Err(JwsError::Form));
        let good = header(|_| {});
        for (text, part) in [
            (format!("{good}=.{}.", b64("p")), "protected header"),
            (format!("{good}.{}=.", b64("p1")), "payload"),
            (format!("{good}.{}.+/", b64("p")), "signature"),
        ] {
            assert_eq!(parse(&text), Err(JwsError::Base64 { part }), "{text}");
        }
        let long = format!("{}.{}.", "A".repeat(MAX_HEADER_BYTES + 1), b64("p"));
        assert_eq!(parse(long), Err(JwsError::HeaderTooLong));
    }

    #[test]
    fn a_header_says_what_it_is_and_asks_for_nothing_else() {
        let changed = |change: fn(&mut Value)| parse(compact(&header(change)));
        let typ = Err(JwsError::Type { expected: TYP });
        assert_eq!(changed(|header| header["typ"] = json!("b+jws")), typ);
        assert_eq!(changed(|header| header["typ"] = json!("A+jws")), typ);
        assert_eq!(changed(|header| header["typ"] = json!(null)), typ);
        let extension = |member| Err(JwsError::Extension { member });
        assert_eq!(changed(|header| header["crit"] = json!(["x"])), extension("crit"));
        assert_eq!(changed(|header| header["b64"] = json!(true)), extension("b64"));
        for alg in [json!("none"), json!("HS256"), json!("PS512"), json!("eddsa"), json!(null)] {
            let mut text = json!({"kid": "k", "typ": TYP});
            text["alg"] = alg.clone();
            assert_eq!(parse(compact(&b64(text.to_string()))), Err(JwsError::Algorithm), "{alg}");
        }
        assert_eq!(changed(|header| header["kid"] = json!("")), Err(JwsError::NoKid));
        assert_eq!(changed(|header| header["kid"] = json!(1)), Err(JwsError::NoKid));
        let twice = format!(r#"{{"alg":"none","typ":"{TYP}","kid":"k","alg":"EdDSA"}}"#);
        assert!(matches!(
            parse(compact(&b64(twice))),
            Err(JwsError::Header(StrictJsonError::Duplicate(_)))
        ));
    }

    #[test]
    fn a_critical_extension_is_listed_once_and_marked_true() {
        let read = |crit: Value, markers: Value| {
            let protected = header(|header| {
                header["crit"] = crit;
                for (name, marker) in markers.as_object().unwrap() {
                    header[name] = marker.clone();
                }
            });
            let text = compact(&protected);
            let jws = Jws::parse_extended(text.as_bytes(), TYP, &["x", "y"])?;
            Ok(jws.signatures()[0].critical.clone())
        };
        assert_eq!(read(json!(["y"]), json!({"y": true})), Ok(vec!["y"]));
        for (crit, markers) in [
            (json!([]), json!({})),
            (json!("x"), json!({"x": true})),
            (json!([1]), json!({})),
            (json!(["x", "x"]), json!({"x": true})),
            (json!(["x", "z"]), json!({"x": true, "z": true})),
            (json!(["x"]), json!({})),
            (json!(["x"]), json!({"x": false})),
            (json!(["x"]), json!({"x": "true"})),
            (json!(["x"]), json!({"x": true, "y": true})),
            (json!(["x"]), json!({"x": true, "y": false})),
        ] {
            let refused = read(crit.clone(), markers.clone());
            assert_eq!(refused, Err(JwsError::Critical), "{crit} {markers}");
        }
    }
}
