//! A message with chosen faults, edges that answer as told, and the verifier over them.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use futures_executor::block_on;

use crate::{
    answer::Answer,
    clock::{FixedClock, UnixSeconds},
    keys::{Algorithm, KeyPurpose},
    operation::{DigestPolicy, List, RequestSigningCapability, Transport},
    profile::WireVersion,
    provider::InMemoryProvider,
    replay::{InsertOutcome, ReplayEntry, ReplayKey, ReplayStore, StoreError},
    resolver::{KeyQuery, KeyResolver, ResolveError, VerificationKey},
    revocation::{RevocationError, RevocationSource, RevocationStatus},
    rfc9421::{
        Component, FieldLine, Request,
        digest::content_digest,
        signature_base,
        structured_fields::{Alphabet, push_byte_sequence},
    },
    verify::{Context, FallbackCredential, Rejection, Step, Verified, Verifier},
};

pub(super) const NOW: UnixSeconds = UnixSeconds::new(1_776_520_800);
pub(super) const URL: &str = "https://seller.example.com/adcp/create_media_buy";
pub(super) const OPERATION: &str = "create_media_buy";
pub(super) const KEYID: &str = "buyer-2026";
pub(super) const AGENT: &str = "https://buyer.example.com/agent";
pub(super) const NONCE: &str = "KXYnfEfJ0PBRZXQyVXfVQA";

/// A signed message, its faults by the step that must find them.
#[derive(Debug, Clone)]
pub(super) struct Scene {
    pub(super) faults: BTreeSet<Step>,
    pub(super) webhook: bool,
    pub(super) url: String,
    pub(super) host: Option<String>,
    pub(super) content_type: &'static str,
    pub(super) body: String,
    pub(super) capability: RequestSigningCapability,
    pub(super) fallback: FallbackCredential,
    pub(super) edges: Edges,
}

/// Edges that answer as told, and count what they are asked.
#[derive(Debug, Clone)]
pub(super) struct Edges {
    pub(super) key: KeyAnswer,
    pub(super) revocation: Told<RevocationStatus>,
    pub(super) cap: Told<bool>,
    pub(super) insert: Told<InsertOutcome>,
    /// Whether they have to be waited for.
    pub(super) late: bool,
    pub(super) inserted: Arc<AtomicUsize>,
    pub(super) asked: Arc<AtomicUsize>,
}

impl Edges {
    fn answer<'a, T: Send + 'a, E: Send + 'a>(&self, result: Result<T, E>) -> Answer<'a, T, E> {
        if !self.late {
            return Answer::now(result);
        }
        Answer::later(async {
            tokio::task::yield_now().await;
            result
        })
    }
}

#[derive(Debug, Clone)]
pub(super) enum KeyAnswer {
    Published,
    Purpose(KeyPurpose),
    NotPublished,
    Other(&'static str),
    Fails(crate::resolver::DiscoveryFailure),
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Told<T> {
    Is(T),
    Fails,
}

pub(super) fn required() -> RequestSigningCapability {
    listed(Some(List::Required))
}

/// A capability with the operation in this list, or in none.
pub(super) fn listed(list: Option<List>) -> RequestSigningCapability {
    let capability = RequestSigningCapability::supported_with(DigestPolicy::Required);
    match list {
        Some(list) => capability.with_operations(list, [OPERATION]).unwrap(),
        None => capability,
    }
}

pub(super) fn route() -> Transport {
    Transport::Rest { operation: OPERATION.to_owned() }
}

impl Default for Scene {
    fn default() -> Self {
        Self {
            faults: BTreeSet::new(),
            webhook: false,
            url: URL.to_owned(),
            host: None,
            content_type: "application/json",
            body: r#"{"budget":1000}"#.to_owned(),
            capability: required(),
            fallback: FallbackCredential::Absent,
            edges: Edges::default(),
        }
    }
}

impl Default for Edges {
    fn default() -> Self {
        Self {
            key: KeyAnswer::Published,
            revocation: Told::Is(RevocationStatus::Good),
            cap: Told::Is(false),
            insert: Told::Is(InsertOutcome::Inserted),
            late: false,
            inserted: Arc::default(),
            asked: Arc::default(),
        }
    }
}

impl Scene {
    pub(super) fn with(faults: impl IntoIterator<Item = Step>) -> Self {
        Self { faults: faults.into_iter().collect(), ..Self::default() }
    }

    pub(super) fn webhook() -> Self {
        Self { webhook: true, ..Self::default() }
    }

    fn has(&self, step: Step) -> bool {
        self.faults.contains(&step)
    }

    /// The fields of the signed message, and its body.
    pub(super) fn message(&self, key: &InMemoryProvider) -> (Vec<(String, String)>, String) {
        let mut signed_body = self.body.clone();
        if self.has(Step::Body) {
            signed_body = r#"{"budget":1,"budget":1000}"#.to_owned();
        }
        let digest = content_digest(signed_body.as_bytes(), Alphabet::Standard);
        let mut covered = vec!["@method", "@target-uri", "@authority", "content-digest"];
        if !self.has(Step::Components) {
            covered.push("content-type");
        }
        let created = NOW.as_i64() + if self.has(Step::Window) { 1_000 } else { 0 };
        let expires = created + 300;
        let tag = match (self.has(Step::Tag), self.webhook) {
            (true, _) => "adcp/other/v1",
            (false, true) => "adcp/webhook-signing/v1",
            (false, false) => "adcp/request-signing/v1",
        };
        let alg = if self.has(Step::Algorithm) { "rsa-pss-sha512" } else { "ed25519" };
        let mut list = covered.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>();
        list = vec![format!("({})", list.join(" "))];
        list.push(format!("created={created}"));
        if !self.has(Step::Params) {
            list.push(format!("expires={expires}"));
        }
        list.push(format!(r#"nonce="{NONCE}";keyid="{KEYID}";alg="{alg}";tag="{tag}""#));
        let input = list.join(";");
        let mut fields = vec![
            ("Content-Type".to_owned(), self.content_type.to_owned()),
            ("Content-Digest".to_owned(), digest),
        ];
        fields.extend(self.host.iter().map(|host| ("Host".to_owned(), host.clone())));
        let lines: Vec<_> =
            fields.iter().map(|(name, value)| FieldLine::new(name, value)).collect();
        let request = Request::new("POST", &self.url, &lines, signed_body.as_bytes());
        let components: Vec<_> =
            covered.iter().map(|name| Component::new(name, &[]).unwrap()).collect();
        let base = signature_base(&components, &input, &request).unwrap_or_default();
        let mut signature = key.sign_now(&base).unwrap().as_bytes().to_vec();
        if self.has(Step::Signature) {
            signature[40] ^= 1;
        }
        let alphabet = if self.webhook { Alphabet::UrlUnpadded } else { Alphabet::Standard };
        let mut value = "sig1=".to_owned();
        push_byte_sequence(&mut value, &signature, alphabet);
        if self.has(Step::Parse) {
            value.push_str(";extra");
        }
        fields.push(("Signature-Input".to_owned(), format!("sig1={input}")));
        fields.push(("Signature".to_owned(), value));
        let body = if self.has(Step::Digest) { format!("{signed_body} ") } else { signed_body };
        (fields, body)
    }

    pub(super) fn edges(&self) -> Edges {
        let mut edges = self.edges.clone();
        if self.has(Step::Purpose) {
            edges.key = KeyAnswer::Purpose(KeyPurpose::ResponseSigning);
        }
        if self.has(Step::Key) {
            edges.key = KeyAnswer::NotPublished;
        }
        if self.has(Step::Revocation) {
            edges.revocation = Told::Is(RevocationStatus::Revoked);
        }
        if self.has(Step::ReplayCap) {
            edges.cap = Told::Is(true);
        }
        if self.has(Step::Insert) {
            edges.insert = Told::Is(InsertOutcome::KeyCapReached);
        }
        if self.has(Step::Replay) {
            edges.insert = Told::Is(InsertOutcome::Replayed);
        }
        edges
    }

    pub(super) fn verify(&self) -> Result<Verified, Rejection> {
        let key = key();
        let (fields, body) = self.message(&key);
        self.verify_message(&key, &fields, body.as_bytes())
    }

    /// Verifies a message that was taken from this scene and changed.
    pub(super) fn verify_message(
        &self,
        key: &InMemoryProvider,
        fields: &[(String, String)],
        body: &[u8],
    ) -> Result<Verified, Rejection> {
        let lines: Vec<_> =
            fields.iter().map(|(name, value)| FieldLine::new(name, value)).collect();
        let request = Request::new("POST", &self.url, &lines, body);
        let route = route();
        let context = if self.webhook {
            Context::webhook()
        } else {
            Context::request(&route).with_fallback(self.fallback)
        };
        block_on(self.verifier(key).verify(&request, &context))
    }

    pub(super) fn verifier(&self, key: &InMemoryProvider) -> Verifier {
        let builder = if self.webhook {
            Verifier::for_webhooks()
        } else {
            Verifier::for_requests(WireVersion::V3_2, self.capability.clone())
        };
        let edges = self.edges();
        let keys = Keys { edges: edges.clone(), public: key.jwk().public_key().unwrap() };
        builder
            .keys(keys)
            .revocation(edges.clone())
            .replay(edges)
            .clock(FixedClock::new(NOW))
            .build()
    }
}

pub(super) fn key() -> InMemoryProvider {
    InMemoryProvider::generate(Algorithm::Ed25519, KeyPurpose::RequestSigning)
        .unwrap()
        .with_key_id(KEYID)
}

/// Resolves as the edges say.
#[derive(Debug)]
pub(super) struct Keys {
    pub(super) edges: Edges,
    pub(super) public: crate::keys::PublicKey,
}

impl KeyResolver for Keys {
    fn resolve<'a>(
        &'a self,
        query: KeyQuery<'a>,
    ) -> Answer<'a, Option<Arc<VerificationKey>>, ResolveError> {
        let named = |kid: &str, purpose: KeyPurpose| {
            let key = VerificationKey::trusted(kid, self.public.clone(), purpose);
            Ok(Some(Arc::new(key.with_agent_url(AGENT).unwrap())))
        };
        self.edges.answer(match &self.edges.key {
            KeyAnswer::Published => named(query.keyid(), KeyPurpose::RequestSigning),
            KeyAnswer::Purpose(purpose) => named(query.keyid(), purpose.clone()),
            KeyAnswer::Other(kid) => named(kid, KeyPurpose::RequestSigning),
            KeyAnswer::NotPublished => Ok(None),
            KeyAnswer::Fails(failure) => Err(ResolveError::new(*failure, "told to fail")),
        })
    }
}

impl RevocationSource for Edges {
    fn check<'a>(
        &'a self,
        key: &'a VerificationKey,
        _: UnixSeconds,
    ) -> Answer<'a, RevocationStatus, RevocationError> {
        assert_eq!(key.agent_url(), Some(AGENT), "revocation is asked about the resolved key");
        self.answer(match self.revocation {
            Told::Is(status) => Ok(status),
            Told::Fails => Err(RevocationError::new("told to fail")),
        })
    }
}

impl ReplayStore for Edges {
    fn cap_reached<'a>(
        &'a self,
        _: ReplayKey<'a>,
        _: u64,
        _: UnixSeconds,
    ) -> Answer<'a, bool, StoreError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.answer(match self.cap {
            Told::Is(reached) => Ok(reached),
            Told::Fails => Err(StoreError::unavailable("told to fail", "cap")),
        })
    }

    fn insert<'a>(
        &'a self,
        entry: ReplayEntry<'a>,
        _: UnixSeconds,
    ) -> Answer<'a, InsertOutcome, StoreError> {
        self.inserted.fetch_add(1, Ordering::SeqCst);
        assert_eq!((entry.key().keyid(), entry.nonce()), (KEYID, NONCE));
        assert_eq!(entry.expires_at(), NOW.plus(300 + 60));
        self.answer(match self.insert {
            Told::Is(outcome) => Ok(outcome),
            Told::Fails => Err(StoreError::unavailable("told to fail", "insert")),
        })
    }
}
