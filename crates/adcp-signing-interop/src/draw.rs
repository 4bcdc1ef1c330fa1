//! Messages drawn from a seed: URLs that every implementation canonicalizes alike, and bodies that
//! every JSON reader takes alike.

use adcp_signing_core::{
    Algorithm, WireVersion, operation::DigestPolicy, target_uri::check_unambiguous,
};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::{Map, Value};

use crate::message::{Change, Direction, Lane, Message, Peer, Wire};

const ALGORITHMS: [Algorithm; 2] = [Algorithm::Ed25519, Algorithm::EcdsaP256Sha256];
const DIRECTIONS: [Direction; 2] = [Direction::WeSign, Direction::TheySign];

/// Every combination that the peers' versions can do, see [`faults`](crate::faults()) for the rest.
pub fn lanes() -> Vec<Lane> {
    let mut lanes = Vec::new();
    for peer in Peer::ALL {
        for direction in DIRECTIONS {
            for wire in Wire::ALL {
                for algorithm in ALGORITHMS {
                    let lane = Lane { peer, direction, wire, algorithm };
                    if !is_beyond(lane) {
                        lanes.push(lane);
                    }
                }
            }
        }
    }
    lanes
}

/// This version of the Node SDK is older than contract 3.2, and signs the legacy form alone.
fn is_beyond(lane: Lane) -> bool {
    lane.peer == Peer::Node
        && lane.direction == Direction::TheySign
        && matches!(lane.wire, Wire::Request(WireVersion::V3_2 | WireVersion::V3_3))
}

/// An endless row of messages, the same for the same seed: lane after lane.
#[derive(Debug)]
pub struct Drawn {
    random: StdRng,
    lanes: Vec<Lane>,
    count: usize,
}

impl Drawn {
    /// The row of this seed.
    pub fn from_seed(seed: u64) -> Self {
        Self { random: StdRng::seed_from_u64(seed), lanes: lanes(), count: 0 }
    }
}

impl Iterator for Drawn {
    type Item = Message;

    fn next(&mut self) -> Option<Message> {
        let (round, at) = (self.count / self.lanes.len(), self.count % self.lanes.len());
        let lane = *self.lanes.get(at)?;
        self.count += 1;
        // Each lane begins with another change, so that a short row has every change as well.
        let change = match round.is_multiple_of(2) {
            true => Change::None,
            false => Change::ALL.get((round / 2 * 3 + at) % Change::ALL.len()).copied()?,
        };
        Some(self.message(lane, change))
    }
}

impl Drawn {
    fn message(&mut self, lane: Lane, change: Change) -> Message {
        let always_digests =
            lane.wire.profile().requires_content_digest(true, DigestPolicy::Either);
        let needs_body = lane.wire == Wire::Webhook
            || matches!(change, Change::Body | Change::ContentType | Change::UnknownKey);
        let has_body = needs_body || self.random.random_ratio(4, 5);
        let methods: &[&'static str] = match (lane.wire, has_body) {
            (Wire::Webhook, _) => &["POST"],
            (Wire::Request(_), true) => &["POST", "POST", "PUT", "PATCH"],
            (Wire::Request(_), false) => &["GET", "DELETE"],
        };
        let types =
            ["application/json", "application/json; charset=utf-8", "application/vnd.adcp+json"];
        let purposes: &[&'static str] = match (lane.wire, lane.peer) {
            (Wire::Request(_), _) => &["request-signing"],
            (Wire::Webhook, Peer::Python) => &["request-signing", "webhook-signing"],
            (Wire::Webhook, Peer::Node) => &["webhook-signing"],
        };
        let covers_digest =
            always_digests || change == Change::Body || self.random.random::<bool>();
        Message {
            lane,
            method: self.one_of(methods).into(),
            target: self.target_of(lane).into(),
            content_type: has_body.then(|| self.one_of(&types).into()),
            body: if has_body { self.body().into() } else { "".into() },
            digest: covers_digest,
            purpose: self.one_of(purposes),
            change,
        }
    }

    /// Where no escape can be lost, half of the messages go to the wrapper for Starlette.
    fn target_of(&mut self, lane: Lane) -> String {
        let target = self.target();
        let wrapped = lane.peer == Peer::Python
            && lane.direction == Direction::WeSign
            && lane.wire != Wire::Webhook
            && !target.split('?').next().is_some_and(|path| path.contains('%'));
        if wrapped && self.random.random() { format!("starlette/{target}") } else { target }
    }

    /// Path and query, of which all implementations make the same.
    fn target(&mut self) -> String {
        loop {
            let path = (0..self.random.random_range(1..5)).map(|_| self.segment());
            let mut target = path.collect::<Vec<_>>().join("/");
            if self.random.random_ratio(1, 2) {
                let members = (0..self.random.random_range(1..4)).map(|_| self.query_member());
                target += "?";
                target += &members.collect::<Vec<_>>().join("&");
            }
            // A client resolves a dot segment, and could leave the folder of the profile by it.
            let path = target.split('?').next().unwrap_or_default();
            let has_dots = path.split('/').any(|segment| matches!(segment, "." | ".."));
            let url = format!("http://127.0.0.1/{target}");
            if !has_dots && check_unambiguous(&url).is_ok() {
                return target;
            }
        }
    }

    fn segment(&mut self) -> String {
        const PARTS: &[&str] = &[
            "adcp",
            "media-buy",
            "v3",
            "~",
            "_",
            "-",
            ".",
            "0",
            "Z",
            "!",
            "$",
            "&",
            "'",
            "(",
            ")",
            "*",
            "+",
            ",",
            ";",
            "=",
            ":",
            "@",
            "%20",
            "%2F",
            "%2f",
            "%3F",
            "%25",
            "%7E",
            "%41",
            "%C3%A9",
            "%c3%a9",
            "%E2%82%AC",
        ];
        (0..self.random.random_range(1..6)).map(|_| self.one_of(PARTS)).collect()
    }

    fn query_member(&mut self) -> String {
        const PARTS: &[&str] = &[
            "page", "limit", "7", "a", "B", "~", "_", "-", ".", "!", "$", "(", ")", "*", "+", ",",
            ";", ":", "@", "/", "?", "=", "%20", "%2F", "%26", "%25", "%C3%A9", "%27",
        ];
        let mut text = |count| (0..count).map(|_| self.one_of(PARTS)).collect::<String>();
        format!("{}={}", text(2), text(3))
    }

    /// A JSON object, compact or not.
    fn body(&mut self) -> String {
        let value = Value::Object(self.members(3));
        match self.random.random_ratio(1, 4) {
            true => format!("{value:#}\n"),
            false => value.to_string(),
        }
    }

    fn members(&mut self, depth: u32) -> Map<String, Value> {
        let count = self.random.random_range(1..8);
        (0..count).map(|nth| (format!("{}{nth}", self.text()), self.value(depth))).collect()
    }

    fn value(&mut self, depth: u32) -> Value {
        match self.random.random_range(0..if depth == 0 { 5 } else { 7 }) {
            0 => Value::Null,
            1 => self.random.random::<bool>().into(),
            2 => self.random.random::<i32>().into(),
            3 => (f64::from(self.random.random::<i32>()) / 64.0).into(),
            4 => self.text().into(),
            5 => (0..self.random.random_range(0..5)).map(|_| self.value(depth - 1)).collect(),
            _ => Value::Object(self.members(depth - 1)),
        }
    }

    fn text(&mut self) -> String {
        const PARTS: &[&str] = &[
            "budget",
            "packages",
            " ",
            "\"",
            "\\",
            "/",
            "\n",
            "\t",
            "\u{1}",
            "é",
            "€",
            "日本",
            "😀",
            "\u{2028}",
            "</script>",
            "0",
            "e\u{301}",
        ];
        (0..self.random.random_range(0..8)).map(|_| self.one_of(PARTS)).collect()
    }

    fn one_of(&mut self, of: &[&'static str]) -> &'static str {
        let at = self.random.random_range(0..of.len());
        of.get(at).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    #[test]
    fn a_seed_draws_the_same_messages_again() {
        let draw = |seed| Drawn::from_seed(seed).take(100).collect::<Vec<_>>();
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
    }

    #[test]
    fn two_hundred_messages_have_every_lane_unchanged_and_every_change_in_both_directions() {
        let (mut unchanged, mut changes) = (BTreeMap::new(), BTreeSet::new());
        for message in Drawn::from_seed(1).take(200) {
            *unchanged.entry(message.lane).or_insert(0) +=
                u32::from(message.change == Change::None);
            changes.insert((message.lane.peer, message.lane.direction, message.change));
        }
        assert_eq!(unchanged.len(), lanes().len());
        assert!(unchanged.values().all(|count| *count > 1), "{unchanged:?}");
        assert_eq!(changes.len(), 2 * 2 * (Change::ALL.len() + 1));
    }
}
