//! One message between us and a peer: who signs it, what it is, what happens to it on its way, and
//! how its receiver has to answer.

use std::{borrow::Cow, fmt};

use adcp_signing_core::{Algorithm, Profile, WireVersion, profile::Fault};

/// An SDK of another project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Peer {
    /// `adcp` of PyPI.
    Python,
    /// `@adcp/sdk` of npm.
    Node,
}

/// Who signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Direction {
    /// Our client, and their server verifies.
    WeSign,
    /// Their client, and our server verifies.
    TheySign,
}

/// The profile of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Wire {
    /// A request of this version.
    Request(WireVersion),
    /// A webhook.
    Webhook,
}

/// What happens to a message between its signer and its verifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Change {
    /// Nothing.
    None,
    /// The signature and its input get lost.
    Unsigned,
    /// A byte of the body changes.
    Body,
    /// A byte of the signature changes.
    Signature,
    /// The query gets another member.
    Target,
    /// The content type gets another parameter.
    ContentType,
    /// The message arrives twice.
    Replay,
    /// The message arrives 1,000 seconds after it was signed.
    Age,
    /// The verifier does not know the key.
    UnknownKey,
    /// Another message of the same key, to another URL, had the same nonce. Only we can send it.
    NonceElsewhere,
}

/// How a verifier answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It accepts the message, and names the key and the body that were sent.
    Accepts,
    /// It refuses the message with this code.
    Refuses(Cow<'static, str>),
    /// Something else happens.
    Fails(Cow<'static, str>),
}

/// What is sent in one direction under one profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Lane {
    /// The other side.
    pub peer: Peer,
    /// Who signs.
    pub direction: Direction,
    /// The profile.
    pub wire: Wire,
    /// The algorithm.
    pub algorithm: Algorithm,
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Between whom, and how signed.
    pub lane: Lane,
    /// The HTTP method.
    pub method: Cow<'static, str>,
    /// Path and query below the folder of the profile, without a slash in front.
    pub target: Cow<'static, str>,
    /// The content type, where there is a body.
    pub content_type: Option<Cow<'static, str>>,
    /// The body.
    pub body: Cow<'static, str>,
    /// Whether the signature covers the digest, where the profile leaves it to the signer.
    pub digest: bool,
    /// The `adcp_use` of the key.
    pub purpose: &'static str,
    /// What happens to it.
    pub change: Change,
}

impl Peer {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Python, Self::Node];

    /// The package, and its registry.
    pub const fn package(self) -> (&'static str, &'static str) {
        match self {
            Self::Python => ("adcp", "PyPI"),
            Self::Node => ("@adcp/sdk", "npm"),
        }
    }

    /// The version that is tested.
    pub const fn version(self) -> &'static str {
        match self {
            Self::Python => "9.2.0",
            Self::Node => "6.11.0",
        }
    }

    /// The contract that this version says it implements.
    pub const fn contract(self) -> &'static str {
        match self {
            Self::Python => "3.2.4",
            Self::Node => "3.0.6",
        }
    }
}

impl Wire {
    /// Every profile.
    pub const ALL: [Self; 5] = [
        Self::Request(WireVersion::V3_0),
        Self::Request(WireVersion::V3_1),
        Self::Request(WireVersion::V3_2),
        Self::Request(WireVersion::V3_3),
        Self::Webhook,
    ];

    /// The first segment of the paths of our server.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Request(version) => version.as_str(),
            Self::Webhook => "webhook",
        }
    }

    /// Its name in the peers' programs, and the first segment of the paths of their servers. No
    /// peer knows AdCP 3.3, which on the wire is 3.2.
    pub const fn name_at_peers(self) -> &'static str {
        match self {
            Self::Request(WireVersion::V3_3) => WireVersion::V3_2.as_str(),
            _ => self.name(),
        }
    }

    /// Our profile.
    pub const fn profile(self) -> Profile {
        match self {
            Self::Request(version) => Profile::request(version),
            Self::Webhook => Profile::webhook(),
        }
    }
}

impl Change {
    /// Every change that is drawn.
    pub const ALL: [Self; 8] = [
        Self::Unsigned,
        Self::Body,
        Self::Signature,
        Self::Target,
        Self::ContentType,
        Self::Replay,
        Self::Age,
        Self::UnknownKey,
    ];

    /// How long before it arrives the message was signed, in seconds.
    pub const fn age(self) -> i64 {
        match self {
            Self::Age => 1_000,
            _ => 0,
        }
    }
}

impl Message {
    /// The `kid` of the key that signs. Both sides name their keys alike.
    pub fn keyid(&self) -> String {
        match self.change {
            Change::UnknownKey => "unpublished".to_owned(),
            _ => format!("{}-{}", self.purpose, self.lane.algorithm.rfc9421_name()),
        }
    }

    /// Path and query.
    pub fn path(&self) -> String {
        let Lane { direction, wire, .. } = self.lane;
        let folder = match direction {
            Direction::WeSign => wire.name_at_peers(),
            Direction::TheySign => wire.name(),
        };
        format!("/{folder}/{}", self.target)
    }

    /// The message in a few words, for a table.
    pub fn in_short(&self) -> String {
        let Self { lane: Lane { direction, wire, .. }, method, body, .. } = self;
        let signer = match direction {
            Direction::WeSign => "we sign",
            Direction::TheySign => "it signs",
        };
        let body = if body.is_empty() { String::new() } else { format!(" `{body}`") };
        let key =
            if *wire == Wire::Webhook { format!(", {} key", self.purpose) } else { String::new() };
        let nonce = match self.change {
            Change::NonceElsewhere => ", with the nonce of `POST …/elsewhere`",
            _ => "",
        };
        format!("{wire}, {signer}: `{method} …/{}`{body}{key}{nonce}", self.target)
    }

    /// What the contract wants of the verifier.
    pub fn right(&self) -> Answer {
        let fault = match self.change {
            Change::None => return Answer::Accepts,
            Change::Unsigned => Fault::SignatureRequired,
            Change::Body => Fault::DigestMismatch,
            Change::Signature | Change::Target | Change::ContentType => Fault::SignatureInvalid,
            Change::Replay | Change::NonceElsewhere => Fault::Replayed,
            Change::Age => Fault::WindowInvalid,
            Change::UnknownKey => Fault::KeyUnknown,
        };
        Answer::Refuses(self.lane.wire.profile().code(fault).as_str().into())
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.package().0)
    }
}

impl fmt::Display for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(version) => write!(f, "request {version}"),
            Self::Webhook => f.write_str("webhook"),
        }
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { peer, direction, wire, algorithm } = self;
        let (signer, verifier) = match direction {
            Direction::WeSign => ("we".to_owned(), peer.to_string()),
            Direction::TheySign => (peer.to_string(), "us".to_owned()),
        };
        write!(f, "{wire}, {}: {signer} to {verifier}", algorithm.rfc9421_name())
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accepts => f.write_str("accepted"),
            Self::Refuses(code) => write!(f, "`{code}`"),
            Self::Fails(how) => f.write_str(how),
        }
    }
}
