//! What one message leaves behind for the next: burned nonces, and the cap of a key.

use anyhow::Result;
use serde_json::json;

use super::{
    keys::{ED25519, Keys, SECOND},
    message::{Kind, Message},
    vector::{Suite, Vector},
};

const FOLDER: &str = "3.2.4/request-signing";
const REPLAY: &str = "#transport-replay-dedup; #verifier-checklist-requests steps 9a, 12 and 13";
const URL: &str = "https://seller.example.com/adcp/create_media_buy";

fn request() -> Message {
    Message::request(Kind::Request32)
}

fn with_query(number: u8) -> Message {
    request().url(&format!("{URL}?n={number}"))
}

pub(crate) fn add(suite: &mut Suite, keys: &Keys) -> Result<()> {
    let good = || request().sign(keys, ED25519);
    let vector = |slug, name, sent| Vector::new(FOLDER, slug, name, REPLAY, sent).verifier_only();

    suite.add(vector("replay", "The same bytes twice", good()?).then_refused(
        good()?,
        "replayed",
        12,
        None,
    ));
    let elsewhere = with_query(1).sign(keys, ED25519)?;
    suite.add(
        vector("replay-at-another-query", "A nonce is spent for every URL", good()?)
            .then_refused(elsewhere, "replayed", 12, None),
    );
    suite.add(
        vector("nonce-of-another-key", "A nonce is spent for its key alone", good()?)
            .also_knows(SECOND)
            .then_accepted(request().sign(keys, SECOND)?),
    );
    let numbered = |number: u8| {
        with_query(number).nonce(&format!("AAAAAAAAAAAAAAAAAAAAA{number}")).sign(keys, ED25519)
    };
    suite.add(
        vector(
            "cap-with-varying-query",
            "A varying query does not evade the cap of the key",
            numbered(0)?,
        )
        .state(json!({"replay_cap": 3}))
        .also_knows(SECOND)
        .then_accepted(numbered(1)?)
        .then_accepted(numbered(2)?)
        .then_refused(numbered(3)?, "rate_abuse", 9, Some("a"))
        .then_accepted(request().sign(keys, SECOND)?),
    );
    for (slug, name, bad, fault, step) in [
        (
            "digest-mismatch-burns-nothing",
            "A message refused for its digest leaves the nonce unspent",
            good()?.body("{}"),
            "digest_mismatch",
            11,
        ),
        (
            "bad-signature-burns-nothing",
            "A message refused for its signature leaves the nonce unspent",
            request().signed_as(keys, ED25519, &[1; 64])?,
            "invalid",
            10,
        ),
        (
            "wrong-host-burns-nothing",
            "A message refused for its host leaves the nonce unspent",
            good()?.header("Host", "other.example.com"),
            "target_uri_malformed",
            10,
        ),
    ] {
        suite.add(
            vector(slug, name, bad).refused(fault, step).then_accepted(good()?).then_refused(
                good()?,
                "replayed",
                12,
                None,
            ),
        );
    }
    let ambiguous =
        || request().body(br#"{"result":{"id":"a","\u0069d":"b"}}"#).sign(keys, ED25519);
    suite.add(
        vector(
            "ambiguous-body-burns-the-nonce",
            "A message refused at step 14 has spent its nonce",
            ambiguous()?,
        )
        .refused("body_malformed", 14)
        .then_refused(good()?, "replayed", 12, None)
        .then_refused(ambiguous()?, "replayed", 12, None),
    );
    Ok(())
}
