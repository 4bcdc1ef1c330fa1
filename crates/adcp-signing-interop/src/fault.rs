//! The known faults of the peers, each with the message that shows it.

use adcp_signing_core::{Algorithm, WireVersion};

use crate::message::{Answer, Change, Direction, Lane, Message, Peer, Wire};

/// Where a peer differs from the contract.
#[derive(Debug, Clone)]
pub struct Fault {
    /// What the peer does.
    pub does: &'static str,
    /// What the contract wants, and what helps.
    pub reason: &'static str,
    /// A message that shows it.
    pub shown_by: Message,
    /// The answer that the contract wants.
    pub right: Answer,
    /// The answer that comes.
    pub comes: Answer,
}

const NOT_SENT: Answer = Answer::Fails(std::borrow::Cow::Borrowed("not sent"));
const V3_1: Wire = Wire::Request(WireVersion::V3_1);
const V3_2: Wire = Wire::Request(WireVersion::V3_2);

/// Every fault that is known, peer by peer.
pub fn faults() -> Vec<Fault> {
    use Direction::{TheySign, WeSign};
    use Peer::{Node, Python};

    vec![
        Fault {
            does: "`verify_starlette_request` takes the path without its escapes",
            reason: "`@target-uri` keeps all escapes but those of unreserved characters. Give \
                     `verify_request_signature` the URL as it was received, as this suite does",
            shown_by: message(Python, WeSign, V3_2, "starlette/a%20b"),
            right: Answer::Accepts,
            comes: refuses("request_signature_invalid"),
        },
        Fault {
            does: "under ASGI it sees no empty query",
            reason: "`@target-uri` keeps the `?`, which an ASGI server does not pass on. Our \
                     signer refuses such a URL",
            shown_by: message(Python, WeSign, V3_1, "x?"),
            right: Answer::Accepts,
            comes: refuses("request_signature_invalid"),
        },
        requires_digest_of_nothing(Python),
        signs_duplicate_keys(Python, V3_2),
        Fault {
            does: "signs a body without a content type",
            reason: "A signature covers the content type of each body",
            shown_by: Message { content_type: None, ..message(Python, TheySign, V3_2, "x") },
            right: NOT_SENT,
            comes: refuses("request_signature_components_incomplete"),
        },
        Fault {
            does: "when it verifies, it writes escapes of a query in upper case",
            reason: "`@target-uri` has the query byte for byte. Our signer refuses such a URL",
            shown_by: message(Node, WeSign, V3_1, "x?a=%2f"),
            right: Answer::Accepts,
            comes: refuses("request_signature_invalid"),
        },
        Fault {
            does: "when it signs, it writes escapes of a query in upper case",
            reason: "As above. Write escapes in upper case",
            shown_by: message(Node, TheySign, V3_1, "x?a=%2f"),
            right: Answer::Accepts,
            comes: refuses("request_signature_invalid"),
        },
        Fault {
            does: "when it verifies, it decodes escapes of a query",
            reason: "`@target-uri` has the query byte for byte. Our signer refuses such a URL",
            shown_by: message(Node, WeSign, V3_1, "x?a=%7E"),
            right: Answer::Accepts,
            comes: refuses("request_signature_invalid"),
        },
        Fault {
            does: "when it signs, it decodes escapes of a query",
            reason: "As above. Write letters, digits and `-._~` plainly",
            shown_by: message(Node, TheySign, V3_1, "x?a=%7E"),
            right: Answer::Accepts,
            comes: refuses("request_signature_invalid"),
        },
        Fault {
            does: "drops an empty query",
            reason: "`@target-uri` keeps the `?`. Our signer refuses such a URL",
            shown_by: message(Node, WeSign, V3_1, "x?"),
            right: Answer::Accepts,
            comes: refuses("request_signature_invalid"),
        },
        Fault {
            does: "remembers nonces by URL, and takes one again under another URL",
            reason: "A nonce is used once by a key",
            shown_by: Message {
                change: Change::NonceElsewhere,
                ..message(Node, WeSign, V3_1, "x")
            },
            right: refuses("request_signature_replayed"),
            comes: Answer::Accepts,
        },
        requires_digest_of_nothing(Node),
        Fault {
            does: "signs requests of 3.2 in the legacy form",
            reason: "It implements AdCP 3.0. Configure our endpoint for 3.0 or 3.1",
            shown_by: message(Node, TheySign, V3_2, "x"),
            right: Answer::Accepts,
            comes: refuses("request_signature_header_malformed"),
        },
        Fault {
            does: "takes no webhook that a request-signing key signed",
            reason: "It implements AdCP 3.0; the key is right from 3.1.0-rc.15. Sign webhooks for \
                     it with a webhook-signing key",
            shown_by: message(Node, WeSign, Wire::Webhook, "x"),
            right: Answer::Accepts,
            comes: refuses("webhook_mode_mismatch"),
        },
        signs_duplicate_keys(Node, V3_1),
    ]
}

fn requires_digest_of_nothing(peer: Peer) -> Fault {
    Fault {
        does: "an endpoint that requires digests requires them without a body too",
        reason: "Without a body a signature need not cover the digest. Our signer covers it all the \
                 same, unless it is told to leave it out, as here",
        shown_by: without_body(message(peer, Direction::WeSign, V3_2, "x")),
        right: Answer::Accepts,
        comes: refuses("request_signature_components_incomplete"),
    }
}

fn signs_duplicate_keys(peer: Peer, wire: Wire) -> Fault {
    Fault {
        does: "signs a body with duplicate keys",
        reason: "A signer refuses it (`duplicate_key_input`). Our verifier does",
        shown_by: Message {
            body: r#"{"budget":1,"budget":2}"#.into(),
            ..message(peer, Direction::TheySign, wire, "x")
        },
        right: NOT_SENT,
        comes: refuses("request_body_malformed"),
    }
}

/// The versions that were tested, as a table in Markdown.
pub fn peers_table() -> String {
    let mut text = "| package | registry | version | implements |\n|---|---|---|---|\n".to_owned();
    for peer in Peer::ALL {
        let (package, registry) = peer.package();
        let (version, contract) = (peer.version(), peer.contract());
        text += &format!("| `{package}` | {registry} | {version} | AdCP {contract} |\n");
    }
    text
}

/// The faults of a peer, as a table in Markdown.
pub fn faults_table(peer: Peer) -> String {
    let mut text =
        "| what it does | shown by | right | comes | why |\n|---|---|---|---|---|\n".to_owned();
    for fault in faults().iter().filter(|fault| fault.shown_by.lane.peer == peer) {
        let Fault { does, reason, shown_by, right, comes } = fault;
        text += &format!("| {does} | {} | {right} | {comes} | {reason} |\n", shown_by.in_short());
    }
    text
}

fn refuses(code: &'static str) -> Answer {
    Answer::Refuses(code.into())
}

/// A message that nothing is wrong with but its target.
fn message(peer: Peer, direction: Direction, wire: Wire, target: &'static str) -> Message {
    Message {
        lane: Lane { peer, direction, wire, algorithm: Algorithm::Ed25519 },
        method: "POST".into(),
        target: target.into(),
        content_type: Some("application/json".into()),
        body: r#"{"budget":1}"#.into(),
        digest: true,
        purpose: "request-signing",
        change: Change::None,
    }
}

fn without_body(message: Message) -> Message {
    Message { method: "GET".into(), content_type: None, body: "".into(), digest: false, ..message }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    /// `docs/interop.md` has these tables and no others.
    #[test]
    fn the_page_has_the_tables() {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/interop.md");
        let text = fs::read_to_string(&page).unwrap_or_default();
        let tables: Vec<_> =
            [peers_table()].into_iter().chain(Peer::ALL.into_iter().map(faults_table)).collect();
        for table in &tables {
            assert!(text.contains(table), "docs/interop.md lacks this table:\n{table}");
        }
        let rows = |text: &str| text.lines().filter(|line| line.starts_with('|')).count();
        let known: usize = tables.iter().map(|table| rows(table)).sum();
        assert_eq!(rows(&text), known, "docs/interop.md has a row that no table has");
    }

    #[test]
    fn a_fault_answers_otherwise_than_the_contract_wants() {
        for Fault { does, right, comes, shown_by, .. } in faults() {
            assert_ne!(right, comes, "{does}");
            assert!(right == NOT_SENT || right == shown_by.right(), "{does}: {right}");
        }
    }
}
