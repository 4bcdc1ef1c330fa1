//! Messages that are verified, and who verifies them.

use std::time::Duration;

use adcp_signing_core::{
    Clock as _, KeyPurpose, Nonces as _, RandomNonces, SystemClock,
    operation::{DigestPolicy, List, RequestSigningCapability, Transport},
    replay::{InMemoryReplayStore, ReplayKey},
    resolver::{StaticKeys, VerificationKey},
    revocation::InMemoryRevocation,
    rfc9421::{FieldLine, Request},
    sign::SignedFields,
    verify::{Context, Verified, VerifiedSigner, Verifier},
};
use futures_util::FutureExt as _;

use crate::{
    keys::{KEYID, Keys, profile, sign_once},
    message::{OPERATION, create_media_buy, fields},
};

/// Distinct signed messages that are verified in turn. Then the replay store is replaced by a fresh
/// one.
const MESSAGES: usize = 1_024;
/// Nonces of others in a fresh replay store, so that its tables have the size they have in use:
/// five minutes of a verifier with thirty requests a second.
const OTHER_NONCES: usize = 10_000;

/// A signature base, and a signature of it.
pub(crate) type SignedBase = (Vec<u8>, [u8; 64]);

/// Signed messages, each with its own nonce, and what the primitive alone has to check of each.
pub(crate) struct Traffic {
    pub(crate) messages: Vec<SignedFields>,
    pub(crate) bases: Vec<SignedBase>,
}

impl Traffic {
    pub(crate) fn by(keys: &Keys) -> Self {
        let signer = keys.signer();
        let fields = fields();
        let request = create_media_buy(&fields);
        let messages: Vec<_> = (0..MESSAGES).map(|_| sign_once(&signer, &request)).collect();
        let verifier = verifier(keys);
        let bases = messages.iter().map(|message| {
            let fields = received(message);
            let request = create_media_buy(&fields);
            let signer = verify_once(&verifier, &request);
            let base = signer.signature_base().to_vec();
            let signature = keys.primitive.sign(&base);
            (base, signature)
        });
        let bases = bases.collect();
        Self { messages, bases }
    }
}

fn received(message: &SignedFields) -> [FieldLine<'_>; 8] {
    let [host, agent, accept, content_type, length] = fields();
    [
        host,
        agent,
        accept,
        content_type,
        length,
        FieldLine::new("Content-Digest", message.content_digest.as_deref().unwrap_or_default()),
        FieldLine::new("Signature-Input", &message.signature_input),
        FieldLine::new("Signature", &message.signature),
    ]
}

/// A verifier with the key in its cache and a replay store that knows none of the messages.
fn verifier(keys: &Keys) -> Verifier {
    let mut known = StaticKeys::default();
    let public = keys.provider.verifying_key().clone();
    let thumbprint = public.thumbprint_bytes();
    let key = VerificationKey::trusted(KEYID, public, KeyPurpose::RequestSigning);
    known.insert(key).expect("the first key");
    let replay = InMemoryReplayStore::new();
    let now = SystemClock.now();
    for _ in 0..OTHER_NONCES {
        let nonce = RandomNonces.next().expect("entropy");
        let key = ReplayKey::new(KEYID, &thumbprint);
        let _ = replay.preload(key, nonce.as_str(), now.plus(360), now).expect("in range");
    }
    let capability = RequestSigningCapability::supported_with(DigestPolicy::Required)
        .with_operations(List::Required, [OPERATION])
        .expect("an operation");
    Verifier::builder(profile(), capability)
        .keys(known)
        .revocation(InMemoryRevocation::new(["buyer-signing-2024", "buyer-signing-2025"]))
        .replay(replay)
        .build()
}

/// The route that the messages come by.
pub(crate) fn route() -> Transport {
    Transport::Rest { operation: OPERATION.to_owned() }
}

fn verify_once(verifier: &Verifier, request: &Request<'_>) -> VerifiedSigner {
    verifier
        .verify(request, &Context::request(&route()))
        .now_or_never()
        .expect("no edge waits")
        .and_then(Verified::signer)
        .expect("the request verifies")
}

/// Calls `each` with `iterations` messages, none of them twice under one verifier, and adds up what
/// it measures.
pub(crate) fn over_messages(
    keys: &Keys,
    signed: &Traffic,
    iterations: u64,
    mut each: impl FnMut(&Verifier, &Request<'_>, &SignedBase) -> Duration,
) -> Duration {
    let mut left = iterations;
    let mut total = Duration::ZERO;
    while left > 0 {
        let verifier = verifier(keys);
        for (message, base) in signed.messages.iter().zip(&signed.bases).take(left as usize) {
            // A message that came in was just written to memory.
            let (message, base) = (message.clone(), base.clone());
            let fields = received(&message);
            let request = create_media_buy(&fields);
            total += each(&verifier, &request, &base);
            left -= 1;
        }
    }
    total
}
