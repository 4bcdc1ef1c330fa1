//! Each request gets from a right verifier the one answer that its fault is for.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::{fs, path::Path};

use adcp_signing_core::{
    FixedClock, SigningProvider as _, UnixSeconds,
    operation::{RequestSigningCapability, Transport},
    profile::{Profile, WireVersion},
    replay::InMemoryReplayStore,
    resolver::{StaticKeys, VerificationKey},
    revocation::InMemoryRevocation,
    rfc9421::{FieldLine, Request},
    verify::{Context, Verified, Verifier},
};
use adcp_signing_grader::{
    Fault,
    forge::{Draft, request, test_key},
};
use futures_executor::block_on;
use serde_json::{Value, json};

const NOW: i64 = 1_800_000_000;

fn verifier() -> Verifier {
    let mut keys = StaticKeys::default();
    for kid in ["test-ed25519-2026", "test-gov-2026"] {
        let key = test_key(kid).unwrap();
        keys.insert(VerificationKey::from_jwk(key.key_id(), &key.jwk())).unwrap();
    }
    let capability = json!({
        "supported": true,
        "covers_content_digest": "required",
        "supported_for": ["create_media_buy"],
        "required_for": ["create_media_buy"],
    });
    let capability =
        RequestSigningCapability::from_json(capability.to_string().as_bytes()).unwrap();
    Verifier::builder(Profile::request(WireVersion::V3_2), capability)
        .keys(keys)
        .revocation(InMemoryRevocation::default())
        .replay(InMemoryReplayStore::default())
        .clock(FixedClock::new(UnixSeconds::new(NOW)))
        .build()
}

/// The code of the refusal, or `None` for a signed request that was accepted.
fn answer(fault: Option<Fault>) -> Option<String> {
    let body = json!({
        "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"name": "create_media_buy", "arguments": {}},
    });
    let body = body.to_string();
    let url = "https://seller.example.com/mcp";
    let draft = Draft { url, body: &body, now: NOW, nonce: "KXYnfEfJ0PBRZXQyVXfVQA" };
    let sent = request(&draft, fault).unwrap();
    let lines: Vec<_> =
        sent.headers.iter().map(|(name, value)| FieldLine::new(name, value)).collect();
    let message = Request::new(&sent.method, &sent.url, &lines, sent.body.as_bytes());
    match block_on(verifier().verify(&message, &Context::request(&Transport::Mcp))) {
        Ok(Verified::Signed(_)) => None,
        Ok(_) => Some("accepted without a signer".to_owned()),
        Err(rejection) => Some(rejection.reason().to_string()),
    }
}

#[test]
fn a_request_without_a_fault_is_accepted() {
    assert_eq!(answer(None), None);
}

#[test]
fn each_fault_is_refused_with_its_own_code() {
    for fault in Fault::ALL {
        assert_eq!(answer(Some(fault)).as_deref(), Some(fault.vector().1), "{fault:?}");
    }
}

#[test]
fn each_fault_has_the_code_of_its_vector() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = root.join("../../test-vectors/adcp/3.2.4/request-signing/profile-3.2/negative");
    for fault in Fault::ALL {
        let (id, code) = fault.vector();
        let text = fs::read(folder.join(format!("{id}.json"))).unwrap();
        let vector: Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(vector.pointer("/expected_outcome/error_code"), Some(&json!(code)), "{id}");
    }
}
