//! What is signed verifies, what is changed does not, and nothing that is refused leaves a trace in
//! the replay store.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests")]

use std::sync::{Arc, LazyLock};

use adcp_signing_core::{
    Algorithm, FixedClock, InMemoryProvider, KeyPurpose, Nonce, SigningProvider, UnixSeconds,
    operation::{DigestPolicy, RequestSigningCapability, Transport},
    profile::{MessageKind, Profile, WireVersion},
    replay::InMemoryReplayStore,
    resolver::{StaticKeys, VerificationKey},
    revocation::InMemoryRevocation,
    rfc9421::{FieldLine, Request},
    sign::{AmbiguousUrls, SignOptions, Signer},
    target_uri::TargetUri,
    verify::{Context, Rejection, Step, Verified, Verifier},
};
use futures_executor::block_on;
use proptest::{collection::vec, option, prelude::*, sample::Index};

const NOW: UnixSeconds = UnixSeconds::new(1_776_520_800);

/// The profile, and the algorithm of the key.
#[derive(Debug, Clone)]
struct Setting {
    profile: Profile,
    algorithm: Algorithm,
}

/// A message that owns its parts.
#[derive(Debug, Clone)]
struct Message {
    method: String,
    url: String,
    fields: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

/// One of the four keys, made once.
fn key(kind: MessageKind, algorithm: Algorithm) -> Arc<InMemoryProvider> {
    type Keys = Vec<(MessageKind, Arc<InMemoryProvider>)>;
    static KEYS: LazyLock<Keys> = LazyLock::new(|| {
        let purposes = [
            (MessageKind::Request, KeyPurpose::RequestSigning),
            (MessageKind::Webhook, KeyPurpose::WebhookSigning),
        ];
        let algorithms = [Algorithm::Ed25519, Algorithm::EcdsaP256Sha256];
        let all = purposes
            .into_iter()
            .flat_map(|purpose| algorithms.map(|algorithm| (purpose.clone(), algorithm)));
        all.map(|((kind, purpose), algorithm)| {
            (kind, Arc::new(InMemoryProvider::generate(algorithm, purpose).unwrap()))
        })
        .collect()
    });
    let found = KEYS.iter().find(|(of, key)| *of == kind && key.algorithm() == algorithm);
    Arc::clone(&found.unwrap().1)
}

/// A verifier that knows the key, and the store it remembers nonces in.
fn verifier(setting: &Setting) -> (Verifier, Arc<InMemoryReplayStore>) {
    let key = key(setting.profile.kind(), setting.algorithm);
    let mut keys = StaticKeys::default();
    keys.insert(VerificationKey::from_jwk(key.key_id(), &key.jwk())).unwrap();
    let store = Arc::new(InMemoryReplayStore::default());
    let capability = RequestSigningCapability::supported_with(DigestPolicy::Required);
    let verifier = Verifier::builder(setting.profile.clone(), capability)
        .keys(keys)
        .revocation(InMemoryRevocation::default())
        .replay(store.clone())
        .clock(FixedClock::new(NOW))
        .build();
    (verifier, store)
}

fn verify(
    verifier: &Verifier,
    message: &Message,
    transport: Transport,
) -> Result<Verified, Rejection> {
    let lines = message.lines();
    let request = Request::new(&message.method, &message.url, &lines, &message.body);
    let context = match verifier.profile().kind() {
        MessageKind::Request => Context::request(&transport),
        MessageKind::Webhook => Context::webhook(),
    };
    block_on(verifier.verify(&request, &context))
}

fn rest() -> Transport {
    Transport::Rest { operation: "create_media_buy".to_owned() }
}

impl Message {
    fn lines(&self) -> Vec<FieldLine<'_>> {
        self.fields.iter().map(|(name, value)| FieldLine { name, value }).collect()
    }

    /// The message with the fields of a signature, or `None` where the signer refuses it.
    fn signed(&self, setting: &Setting) -> Option<(Self, Vec<u8>)> {
        let key = key(setting.profile.kind(), setting.algorithm);
        let signer = Signer::new(setting.profile.clone(), key)
            .unwrap()
            .with_clock(FixedClock::new(NOW))
            .with_ambiguous_urls(AmbiguousUrls::Allow);
        let lines = self.lines();
        let request = Request::new(&self.method, &self.url, &lines, &self.body);
        let mut options = SignOptions::default();
        options.nonce = Some(Nonce::parse("KXYnfEfJ0PBRZXQyVXfVQA").unwrap());
        let base = block_on(signer.prepare(&request, &options)).ok()?.signature_base().to_vec();
        let fields = block_on(signer.sign_with(&request, &options)).unwrap();
        let mut signed = self.clone();
        signed.fields.extend(
            fields.iter().map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec())),
        );
        Some((signed, base))
    }

    fn field(&mut self, name: &str) -> Option<&mut Vec<u8>> {
        self.fields
            .iter_mut()
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }
}

fn settings() -> impl Strategy<Value = Setting> {
    let profiles = prop_oneof![
        Just(Profile::request(WireVersion::V3_0)),
        Just(Profile::request(WireVersion::V3_1)),
        Just(Profile::request(WireVersion::V3_2)),
        Just(Profile::request(WireVersion::V3_3)),
        Just(Profile::webhook_at(WireVersion::V3_1.newest_contract())),
        Just(Profile::webhook()),
    ];
    let algorithms = prop_oneof![Just(Algorithm::Ed25519), Just(Algorithm::EcdsaP256Sha256)];
    (profiles, algorithms).prop_map(|(profile, algorithm)| Setting { profile, algorithm })
}

fn urls() -> impl Strategy<Value = String> {
    let host = prop_oneof![
        "[a-zA-Z][a-zA-Z0-9]{0,8}(\\.[a-z][a-z0-9-]{0,6}[a-z0-9]){1,3}",
        "([0-9]{1,2}\\.){3}[0-9]{1,2}",
        "\\[2001:DB8::[0-9a-fA-F]{1,4}\\]",
    ];
    let port = option::of(1..=u16::MAX);
    let path = vec(
        prop_oneof!["[a-zA-Z0-9._~!$&'()*+,;=:@-]{0,8}", "(%[0-9a-fA-F]{2}){1,3}", "\\.{1,2}"],
        0..5,
    );
    let query = option::of("[a-zA-Z0-9._~!$&'()*+,;=:@/?%-]{0,24}");
    ("https?|HTTPS", host, port, path, query).prop_map(|(scheme, host, port, path, query)| {
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        let path: String = path.iter().map(|segment| format!("/{segment}")).collect();
        let query = query.map(|query| format!("?{query}")).unwrap_or_default();
        format!("{scheme}://{host}{port}{path}{query}")
    })
}

fn bodies() -> impl Strategy<Value = (&'static str, Vec<u8>)> {
    let json = ("[a-zé\\\\u{1F600}]{0,12}", any::<i64>(), vec(any::<bool>(), 0..4)).prop_map(
        |(text, number, flags)| {
            let json = serde_json::json!({"text": text, "nested": [{"number": number}, {"number": flags}]});
            ("application/json", json.to_string().into_bytes())
        },
    );
    prop_oneof![
        json,
        vec(any::<u8>(), 0..200).prop_map(|bytes| ("application/octet-stream", bytes)),
        Just(("text/plain; charset=\"utf-8\"", Vec::new())),
    ]
}

fn messages() -> impl Strategy<Value = Message> {
    let method = prop_oneof!["GET|POST|PUT|DELETE", "[A-Z]{1,12}"];
    let extra = vec(("x-[a-z]{1,8}", "[ -~]{0,20}"), 0..3);
    (method, urls(), bodies(), extra).prop_map(|(method, url, (content_type, body), extra)| {
        let content_type = ("Content-Type".to_owned(), content_type.as_bytes().to_vec());
        let extra = extra.into_iter().map(|(name, value)| (name, value.into_bytes()));
        Message { method, url, fields: std::iter::once(content_type).chain(extra).collect(), body }
    })
}

/// One change to one part of a message.
#[derive(Debug, Clone)]
enum Change {
    Method(Index, u8),
    Url(Index, u8),
    Body(Index, u8),
    BodyByteMore(u8),
    Field(&'static str, Index, u8),
    FieldGone(&'static str),
}

const SIGNED_FIELDS: [&str; 4] = ["content-type", "content-digest", "signature-input", "signature"];

fn changes() -> impl Strategy<Value = Change> {
    let field = || proptest::sample::select(&SIGNED_FIELDS);
    let visible = || 0x21..=0x7e_u8;
    prop_oneof![
        1 => (any::<Index>(), b'A'..=b'Z').prop_map(|(at, byte)| Change::Method(at, byte)),
        1 => (any::<Index>(), visible()).prop_map(|(at, byte)| Change::Url(at, byte)),
        1 => (any::<Index>(), 1..=u8::MAX).prop_map(|(at, mask)| Change::Body(at, mask)),
        1 => any::<u8>().prop_map(Change::BodyByteMore),
        4 => (field(), any::<Index>(), visible()).prop_map(|(name, at, byte)| Change::Field(name, at, byte)),
        1 => field().prop_map(Change::FieldGone),
    ]
}

impl Change {
    /// The changed message, or `None` where the change changes nothing.
    fn apply(&self, signed: &Message) -> Option<Message> {
        let mut message = signed.clone();
        match self {
            Self::Method(at, byte) => set_char(&mut message.method, at, *byte)?,
            Self::Url(at, byte) => set_char(&mut message.url, at, *byte)?,
            Self::Body(at, mask) => {
                let length = message.body.len();
                *message.body.get_mut(at.index(length.max(1)))? ^= mask;
            }
            Self::BodyByteMore(byte) => message.body.push(*byte),
            Self::Field(name, at, byte) => {
                let value = message.field(name)?;
                let at = at.index(value.len().max(1));
                let place = value.get_mut(at)?;
                if std::mem::replace(place, *byte) == *byte {
                    return None;
                }
            }
            Self::FieldGone(name) => {
                message.field(name)?;
                message.fields.retain(|(found, _)| !found.eq_ignore_ascii_case(name));
            }
        }
        Some(message)
    }
}

fn set_char(text: &mut String, at: &Index, byte: u8) -> Option<()> {
    let place = at.index(text.len());
    if text.as_bytes()[place] == byte {
        return None;
    }
    text.replace_range(place..=place, char::from(byte).encode_utf8(&mut [0; 4]));
    Some(())
}

/// Whether a verifier sees the same target URI in both.
fn same_target(profile: &Profile, left: &str, right: &str) -> bool {
    let canonical = |url| TargetUri::canonicalize(url, profile.verifier_uri_rules()).ok();
    canonical(left).is_some_and(|target| Some(target) == canonical(right))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn what_is_signed_verifies_once(setting in settings(), message in messages()) {
        let signed = message.signed(&setting);
        prop_assume!(signed.is_some());
        let (signed, base) = signed.unwrap();
        let (verifier, store) = verifier(&setting);
        let accepted = verify(&verifier, &signed, rest());
        let signer = accepted.and_then(Verified::signer);
        let signer = signer.map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(signer.signature_base(), &base[..]);
        prop_assert_eq!(signer.algorithm(), setting.algorithm);
        prop_assert_eq!(store.len(NOW), 1);
        match verify(&verifier, &signed, rest()) {
            Err(rejection) => prop_assert_eq!(rejection.step(), Step::Replay),
            other => prop_assert!(false, "a replay was not refused: {:?}", other),
        }
    }

    #[test]
    fn one_changed_byte_is_refused_and_burns_nothing(
        setting in settings(),
        message in messages(),
        changes in vec(changes(), 8),
    ) {
        let signed = message.signed(&setting);
        prop_assume!(signed.is_some());
        let (signed, _) = signed.unwrap();
        let (verifier, store) = verifier(&setting);
        for change in changes {
            let Some(changed) = change.apply(&signed) else { continue };
            if matches!(change, Change::Url(..)) && same_target(&setting.profile, &signed.url, &changed.url) {
                continue;
            }
            let outcome = verify(&verifier, &changed, rest());
            prop_assert!(outcome.is_err(), "{:?} was accepted", change);
            prop_assert_eq!(store.len(NOW), 0, "{:?} burned the nonce", change);
        }
        // The original is as good as before.
        prop_assert!(verify(&verifier, &signed, rest()).is_ok());
    }

    #[test]
    fn no_profile_of_another_encoding_or_tag_verifies(
        setting in settings(),
        other in settings(),
        message in messages(),
    ) {
        let same_encoding = setting.profile.signature_alphabet() == other.profile.signature_alphabet();
        prop_assume!(!same_encoding || setting.profile.tag() != other.profile.tag());
        let signed = message.signed(&setting);
        prop_assume!(signed.is_some());
        let (signed, _) = signed.unwrap();
        let (verifier, store) = verifier(&other);
        let outcome = verify(&verifier, &signed, rest());
        prop_assert!(outcome.is_err());
        prop_assert_eq!(store.len(NOW), 0);
    }

    #[test]
    fn a_url_of_the_same_canonical_form_verifies(
        setting in settings(),
        message in messages(),
        at in any::<Index>(),
    ) {
        let signed = message.signed(&setting);
        prop_assume!(signed.is_some());
        let (mut signed, _) = signed.unwrap();
        let target = TargetUri::canonicalize(&signed.url, setting.profile.verifier_uri_rules()).unwrap();
        let host_end = target.authority().len() + target.scheme().len() + 3;
        let flipped: String = target.as_str().char_indices()
            .map(|(place, c)| if place == at.index(host_end) { c.to_ascii_uppercase() } else { c })
            .collect();
        // An encoded dot segment turns into a live one when it is canonicalized a second time.
        prop_assume!(same_target(&setting.profile, &flipped, &signed.url));
        signed.url = flipped + "#fragment";
        let (verifier, _) = verifier(&setting);
        prop_assert!(verify(&verifier, &signed, rest()).is_ok());
    }

    #[test]
    fn arbitrary_messages_are_judged_without_a_panic(
        setting in settings(),
        method in ".{0,8}",
        url in prop_oneof![urls(), ".{0,40}", "https://.{0,20}"],
        fields in vec((
            prop_oneof![
                proptest::sample::select(&SIGNED_FIELDS[..]).prop_map(str::to_owned),
                Just("host".to_owned()),
                ".{0,8}",
            ],
            prop_oneof![
                vec(any::<u8>(), 0..60),
                "[a-z0-9=();:\"@, .?*-]{0,60}".prop_map(String::into_bytes),
                "sig1=\\(\"@method\"\\);(created|nonce|alg)=[0-9\"a-z]{0,9}".prop_map(String::into_bytes),
                "sig1=:[A-Za-z0-9+/_=-]{0,90}:".prop_map(String::into_bytes),
            ],
        ), 0..6),
        body in prop_oneof![vec(any::<u8>(), 0..80), "[\\[\\]{}\":,a0\\\\u-]{0,60}".prop_map(String::into_bytes)],
        transport in prop_oneof![
            Just(Transport::Mcp),
            Just(Transport::A2a),
            Just(Transport::RestPath),
            Just(rest()),
        ],
    ) {
        let (verifier, store) = verifier(&setting);
        let outcome = verify(&verifier, &Message { method, url, fields, body }, transport);
        prop_assert!(outcome.and_then(Verified::signer).is_err());
        prop_assert_eq!(store.len(NOW), 0);
    }
}
