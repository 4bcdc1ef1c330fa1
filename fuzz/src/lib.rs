//! What each fuzz target does with its input. Also run over the committed corpus by the stable
//! toolchain, in `crates/adcp-signing-conformance/tests/fuzz_corpus.rs`.
//!
//! A target panics where an invariant breaks.

use std::{collections::HashSet, fmt, sync::Arc};

use adcp_signing_core::{
    FixedClock, JwkSet, PrivateJwk, UnixSeconds,
    json::{StrictJsonError, check_no_duplicate_keys},
    operation::{RequestSigningCapability, Transport},
    profile::{MessageKind, Profile, WireVersion},
    replay::InMemoryReplayStore,
    resolver::StaticKeys,
    revocation::InMemoryRevocation,
    rfc9421::{
        FieldLine, Request,
        structured_fields::{
            BareItem, Dictionary, Item, List, MemberValue, push_dictionary, push_item, push_list,
        },
    },
    target_uri::{RawHost, RootDot, Rules, TargetUri, canonicalize_authority, check_unambiguous},
    verify::{Context, Reason, Step, Verified, Verifier},
};
use futures_executor::block_on;
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

const NOW: UnixSeconds = UnixSeconds::new(1_776_520_800);

/// The published test keys for requests and webhooks, Ed25519 and P-256.
const KEYS: &[u8] = br#"{"keys":[
    {"kid":"test-ed25519-2026","kty":"OKP","crv":"Ed25519","alg":"EdDSA","use":"sig","key_ops":["verify"],
     "adcp_use":"request-signing","x":"gWUqzATUcUco5Q8fZZXn8aWwb7DQbYGBiqUzLiSDDJo"},
    {"kid":"test-es256-2026","kty":"EC","crv":"P-256","alg":"ES256","use":"sig","key_ops":["verify"],
     "adcp_use":"request-signing","x":"vGSQmjzPN1txgDY-oBb108gMsRETA9J5IPxqlBczQOY",
     "y":"JGIbsHoOnHLL_LFqGYUW43BYDAqGYrNRZUylkE7rqSU"},
    {"kid":"test-ed25519-webhook-2026","kty":"OKP","crv":"Ed25519","alg":"EdDSA","use":"sig","key_ops":["verify"],
     "adcp_use":"webhook-signing","x":"y7tTfeqazsFeTn3ccCzQlcJ4qFWuYsu-JkJAcfc9VoA"}]}"#;

/// The header parser: what parses and can be written has one canonical form, and that parses.
pub fn structured_fields(data: &[u8]) {
    // A macro, as each type borrows from the text it was parsed from.
    macro_rules! has_one_canonical_form {
        ($type:ident, $write:ident) => {
            let mut canonical = String::new();
            if let Ok(value) = $type::parse(data)
                && $write(&mut canonical, &value).is_ok()
            {
                let again = $type::parse(canonical.as_bytes()).expect("canonical text parses");
                let mut twice = String::new();
                $write(&mut twice, &again).expect("what was written can be written again");
                assert_eq!(canonical, twice);
            }
        };
    }
    has_one_canonical_form!(Dictionary, push_dictionary);
    has_one_canonical_form!(List, push_list);
    has_one_canonical_form!(Item, push_item);
}

/// The canonicalizer: a canonical URL is its own canonical form, and so is its authority.
pub fn target_uri(data: &[u8]) {
    let Ok(url) = std::str::from_utf8(data) else { return };
    let unambiguous = check_unambiguous(url).is_ok();
    for root_dot in [RootDot::Strip, RootDot::Keep] {
        for raw_host in [RawHost::Convert, RawHost::Refuse] {
            let rules = Rules { root_dot, raw_host };
            let target = TargetUri::canonicalize(url, rules);
            assert!(target.is_ok() || !unambiguous, "an unambiguous URL has no canonical form");
            let Ok(target) = target else { continue };
            assert!(target.as_str().starts_with(target.scheme()));
            assert_eq!(
                canonicalize_authority(target.authority(), target.scheme(), rules).as_deref(),
                Ok(target.authority())
            );
            // The steps in their literal order decode an encoded dot segment after live ones are
            // gone.
            if !target.path().split('/').any(|segment| matches!(segment, "." | "..")) {
                assert_eq!(TargetUri::canonicalize(target.as_str(), rules).as_ref(), Ok(&target));
            }
        }
    }
}

/// JSON and JWK strictness: duplicate keys are found wherever `serde_json` reads the text, and keys
/// survive a round trip.
pub fn json(data: &[u8]) {
    let strict = check_no_duplicate_keys(data);
    if serde_json::from_slice::<serde_json::Value>(data).is_ok() {
        let unique = serde_json::from_slice::<UniqueKeys>(data).is_ok();
        match &strict {
            Ok(()) => assert!(unique, "duplicate keys were missed"),
            Err(StrictJsonError::Duplicate(_)) => assert!(!unique, "there are no duplicate keys"),
            Err(error) if error.exceeds_limit() => {}
            Err(error) => panic!("serde_json reads it: {error}"),
        }
    }
    let _ = RequestSigningCapability::from_json(data);
    let _ = PrivateJwk::parse(data);
    let Ok(set) = JwkSet::parse(data) else { return };
    assert!(strict.is_ok(), "a JWKS was read from JSON that is not strict");
    for jwk in set.keys().iter().filter(|jwk| jwk.public_key().is_ok()) {
        let text = serde_json::to_vec(jwk).expect("a JWK is JSON");
        assert_eq!(adcp_signing_core::Jwk::parse(&text).as_ref(), Ok(jwk));
    }
}

/// A whole verification. The input is text: a line `kind version transport`, a line `METHOD URL`,
/// field lines, an empty line, the body.
pub fn verification(data: &[u8]) {
    let Some(input) = Input::parse(data) else { return };
    let lines: Vec<_> =
        input.fields.iter().map(|(name, value)| FieldLine { name, value }).collect();
    let request = Request::new(input.method, input.url, &lines, input.body);
    let store = Arc::new(InMemoryReplayStore::default());
    let keys = StaticKeys::from_jwks_json(KEYS).expect("the keys parse");
    let capability =
        br#"{"supported":true,"covers_content_digest":"either","required_for":["create_media_buy"]}"#;
    let capability = RequestSigningCapability::from_json(capability).expect("it parses");
    let verifier = Verifier::builder(input.profile.clone(), capability)
        .keys(keys)
        .revocation(InMemoryRevocation::default())
        .replay(store.clone())
        .clock(FixedClock::new(NOW))
        .build();
    let context = match input.profile.kind() {
        MessageKind::Request => Context::request(&input.transport),
        MessageKind::Webhook => Context::webhook(),
    };
    match block_on(verifier.verify(&request, &context)) {
        Ok(Verified::Signed(signer)) => {
            assert_eq!(store.len(NOW), 1);
            assert!(!matches!(
                check_no_duplicate_keys(input.body),
                Err(StrictJsonError::Duplicate(_))
            ));
            let base =
                std::str::from_utf8(signer.signature_base()).expect("a signature base is ASCII");
            assert!(base.lines().any(|line| line == format!("\"@method\": {}", input.method)));
            assert!(base.lines().last().is_some_and(|line| {
                line.contains(&format!("tag=\"{}\"", input.profile.tag()))
            }));
            input.check_signature(signer.keyid(), signer.signature_base());
            match block_on(verifier.verify(&request, &context)) {
                Err(rejection) => assert_eq!(rejection.step(), Step::Replay),
                Ok(verified) => panic!("a replay was not refused: {verified:?}"),
            }
        }
        Ok(Verified::Anonymous(_)) => {
            assert_eq!(store.len(NOW), 0);
            assert!(!input.is_signed());
        }
        Ok(Verified::Fallback(_)) => panic!("there is no other credential"),
        Err(rejection) => {
            // The body and the task that it goes on with are judged once the signature is verified.
            let burned = match rejection.reason() {
                Reason::Code(_) => rejection.step() == Step::Body,
                Reason::InvalidRequest => input.is_signed(),
                _ => false,
            };
            assert_eq!(store.len(NOW), u64::from(burned), "{rejection}");
        }
    }
}

/// A message to verify, and where.
struct Input<'a> {
    profile: Profile,
    transport: Transport,
    method: &'a str,
    url: &'a str,
    fields: Vec<(&'a str, &'a [u8])>,
    body: &'a [u8],
}

impl<'a> Input<'a> {
    fn parse(data: &'a [u8]) -> Option<Self> {
        let (endpoint, rest) = line(data)?;
        let mut words = std::str::from_utf8(endpoint).ok()?.split(' ');
        let (kind, version): (&str, WireVersion) = (words.next()?, words.next()?.parse().ok()?);
        let profile = match kind {
            "request" => Profile::request(version),
            "webhook" => Profile::webhook_at(version.newest_contract()),
            _ => return None,
        };
        let transport = match words.next()? {
            "mcp" => Transport::Mcp,
            "a2a" => Transport::A2a,
            "rest" => match words.next() {
                Some(operation) => Transport::Rest { operation: operation.to_owned() },
                None => Transport::RestPath,
            },
            _ => return None,
        };
        let (start, mut rest) = line(rest)?;
        let (method, url) = std::str::from_utf8(start).ok()?.split_once(' ')?;
        let mut fields = Vec::new();
        loop {
            let (field, after) = line(rest)?;
            rest = after;
            if field.is_empty() {
                return Some(Self { profile, transport, method, url, fields, body: rest });
            }
            let colon = field.iter().position(|byte| *byte == b':')?;
            let (name, value) = field.split_at(colon);
            fields.push((std::str::from_utf8(name).ok()?, &value[1..]));
        }
    }

    fn is_signed(&self) -> bool {
        self.fields.iter().any(|(name, _)| {
            name.eq_ignore_ascii_case("signature") || name.eq_ignore_ascii_case("signature-input")
        })
    }

    /// The received signature bytes verify over the base under the published key, by a path that
    /// shares nothing with the verifier's but the primitive.
    fn check_signature(&self, keyid: &str, base: &[u8]) {
        let set = JwkSet::parse(KEYS).expect("the keys parse");
        let key = set
            .with_kid(keyid)
            .next()
            .expect("the key is published")
            .public_key()
            .expect("it is usable");
        let values: Vec<_> =
            self.fields.iter().filter(|(name, _)| name.eq_ignore_ascii_case("signature")).collect();
        let signatures = values.iter().filter_map(|(_, value)| {
            let dictionary = Dictionary::parse(value.trim_ascii()).ok()?;
            let MemberValue::Item(item) = &dictionary.get("sig1")?.value else { return None };
            let BareItem::ByteSequence(bytes) = &item.bare else { return None };
            bytes.decode(self.profile.signature_alphabet()).ok()
        });
        assert!(signatures.into_iter().any(|signature| key.verify_bytes(base, &signature).is_ok()));
    }
}

/// The bytes up to the next line feed, and those after it.
fn line(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = data.iter().position(|byte| *byte == b'\n')?;
    let (line, rest) = data.split_at(end);
    Some((line, &rest[1..]))
}

/// Any JSON without duplicate keys, by the most naive of readers.
struct UniqueKeys;

impl<'de> Deserialize<'de> for UniqueKeys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UniqueKeysVisitor)
    }
}

struct UniqueKeysVisitor;

impl<'de> Visitor<'de> for UniqueKeysVisitor {
    type Value = UniqueKeys;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON without duplicate keys")
    }

    fn visit_unit<E>(self) -> Result<UniqueKeys, E> {
        Ok(UniqueKeys)
    }

    fn visit_bool<E>(self, _: bool) -> Result<UniqueKeys, E> {
        Ok(UniqueKeys)
    }

    fn visit_i64<E>(self, _: i64) -> Result<UniqueKeys, E> {
        Ok(UniqueKeys)
    }

    fn visit_u64<E>(self, _: u64) -> Result<UniqueKeys, E> {
        Ok(UniqueKeys)
    }

    fn visit_f64<E>(self, _: f64) -> Result<UniqueKeys, E> {
        Ok(UniqueKeys)
    }

    fn visit_str<E>(self, _: &str) -> Result<UniqueKeys, E> {
        Ok(UniqueKeys)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<UniqueKeys, A::Error> {
        while elements.next_element::<UniqueKeys>()?.is_some() {}
        Ok(UniqueKeys)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<UniqueKeys, A::Error> {
        let mut seen = HashSet::new();
        while let Some((key, _)) = members.next_entry::<String, UniqueKeys>()? {
            if !seen.insert(key) {
                return Err(de::Error::custom("duplicate key"));
            }
        }
        Ok(UniqueKeys)
    }
}
