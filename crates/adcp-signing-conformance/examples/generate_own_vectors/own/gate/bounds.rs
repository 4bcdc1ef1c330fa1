//! The bounds on a body, from both sides. What exceeds one is refused before everything, for a
//! reason that is not a signature code.

use anyhow::Result;

use super::{FOLDER, FOLDER_3_3, request};
use crate::own::{
    keys::{ED25519, Keys, WEBHOOK},
    message::{Kind, Message},
    vector::{Suite, Vector},
};

pub(in crate::own) const BOUNDS: &str = "contract 3.3, bounds before verification: 4 MiB a request, \
    1 MiB a webhook, depth 64, 100,000 members and elements";
const WEBHOOKS: &str = "3.2.4/webhook-signing";
const MIB: usize = 1 << 20;

/// How a body is written: texts, and how often each is repeated.
type Runs = Vec<(&'static str, usize)>;

fn arrays(depth: usize) -> Runs {
    vec![("[", depth), ("]", depth)]
}

fn objects(depth: usize) -> Runs {
    vec![("{\"a\":", depth), ("1", 1), ("}", depth)]
}

fn elements(count: usize) -> Runs {
    vec![("[0", 1), (",0", count - 1), ("]", 1)]
}

/// Members and elements, taken together: `count` objects with one member in one array.
fn members_and_elements(count: usize) -> Runs {
    vec![("[{\"a\":0}", 1), (",{\"a\":0}", count / 2 - 1), (",0", count % 2), ("]", 1)]
}

fn bytes(count: usize) -> Runs {
    vec![("{\"a\":\"", 1), ("x", count - 8), ("\"}", 1)]
}

pub(super) fn add(suite: &mut Suite, keys: &Keys) -> Result<()> {
    let complex = "body_too_complex";
    for (folder, kind, kid, most) in [
        (FOLDER, Kind::Request32, ED25519, 4 * MIB),
        (FOLDER_3_3, Kind::Request33, ED25519, 4 * MIB),
        (WEBHOOKS, Kind::Webhook, WEBHOOK, MIB),
    ] {
        let base = || match kind {
            Kind::Webhook => Message::webhook(),
            _ => Message::request(kind),
        };
        let vector = |slug: &str, name: &str, sent| {
            let vector = Vector::new(folder, slug, name, BOUNDS, sent).verifier_only();
            match kind {
                Kind::Webhook => vector,
                _ => vector.transport("rest").operation("create_media_buy"),
            }
        };
        for (slug, name, within, beyond, reason) in [
            ("arrays-deep", "Arrays nest", arrays(64), arrays(65), complex),
            ("objects-deep", "Objects nest", objects(64), objects(65), complex),
            ("elements", "Elements", elements(100_000), elements(100_001), complex),
            (
                "members-and-elements",
                "Members and elements",
                members_and_elements(100_000),
                members_and_elements(100_001),
                complex,
            ),
            ("bytes", "Bytes", bytes(most), bytes(most + 1), "body_too_large"),
        ] {
            let sent = base().body_of_runs(&within).sign(keys, kid)?;
            suite.add(vector(
                &format!("{slug}-at-the-bound"),
                &format!("{name}: the most that is read"),
                sent,
            ));
            let sent = base().body_of_runs(&beyond).sign(keys, kid)?;
            suite.add(
                vector(
                    &format!("{slug}-beyond-the-bound"),
                    &format!("{name}: one more than is read"),
                    sent,
                )
                .refused_without_code(reason, 413),
            );
        }
    }

    // Before everything: nothing else is looked at.
    let deep = || request().body_of_runs(&arrays(65));
    let vector = |slug, name, sent| {
        Vector::new(FOLDER, slug, name, BOUNDS, sent)
            .transport("rest")
            .refused_without_code(complex, 413)
    };
    for (slug, name, sent) in [
        (
            "too-deep-unsigned",
            "Too deep, and unsigned where a signature is required",
            deep().unsigned(),
        ),
        (
            "too-deep-half-a-pair",
            "Too deep, with half a pair of signature fields",
            deep().sign(keys, ED25519)?.without_header("Signature"),
        ),
        (
            "too-deep-bad-signature",
            "Too deep, under a signature that fails",
            deep().signed_as(keys, ED25519, &[1; 64])?,
        ),
        (
            "too-deep-odd-url",
            "Too deep, at a URL that has no canonical form",
            deep().url("https://seller.example.com:/adcp/create_media_buy").unsigned(),
        ),
    ] {
        suite.add(vector(slug, name, sent));
    }
    let name = "Too large, and unsigned where a signature is required";
    let sent = request().body_of_runs(&bytes(4 * MIB + 1)).unsigned();
    suite.add(
        Vector::new(FOLDER, "too-large-unsigned", name, BOUNDS, sent)
            .transport("rest")
            .refused_without_code("body_too_large", 413),
    );
    Ok(())
}
