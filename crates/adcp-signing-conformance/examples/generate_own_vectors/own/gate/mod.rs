//! Step 0 as attackers see it: ways to hide what a request asks for, so that nobody requires a
//! signature. Where it cannot be told, the request is refused.

mod bounds;
mod credentials;
mod hardening;
mod paths;
mod rest;
mod urls;

use anyhow::Result;
use serde_json::{Value, json};

pub(super) use self::bounds::BOUNDS;
use super::{
    keys::Keys,
    message::{Kind, Message, Sent},
    operations,
    vector::{Suite, Vector},
};

const FOLDER: &str = "3.2.4/request-signing";
const A2A_FOLDER: &str = "3.2.4/request-signing/a2a";
const MCP_FOLDER: &str = "3.2.4/request-signing/mcp";
const FOLDER_3_3: &str = "3.3.0-rc.0/request-signing";
const A2A_FOLDER_3_3: &str = "3.3.0-rc.0/request-signing/a2a";
const OPERATION: &str = "#verifier-checklist-requests step 0";
const A2A: &str = "#verifier-checklist-requests step 0; #operation-resolution-over-a2a";
const CREATE: &str = "create_media_buy";

pub(super) fn add(suite: &mut Suite, keys: &Keys) -> Result<()> {
    urls::add(suite, keys)?;
    rest::add(suite);
    credentials::add(suite, keys)?;
    bounds::add(suite, keys)?;
    for (folder, kind) in [(A2A_FOLDER, Kind::Request32), (A2A_FOLDER_3_3, Kind::Request33)] {
        paths::add(suite, folder, kind);
    }
    operations::a2a(suite, keys, A2A_FOLDER_3_3, Kind::Request33)?;
    hardening::add(suite, keys)
}

fn request() -> Message {
    Message::request(Kind::Request32)
}

/// The capability that requires these operations and protocol methods.
fn requiring(operations: &[&str], methods: &[&str]) -> Value {
    json!({
        "supported": true, "covers_content_digest": "required",
        "required_for": operations, "protocol_methods_required_for": methods,
    })
}

/// An unsigned request whose path is read.
fn by_path(slug: &str, name: &str, sent: Sent) -> Vector {
    Vector::new(FOLDER, slug, name, OPERATION, sent).transport("rest")
}

/// A request without a body.
fn bare(kind: Kind, method: &str, url: &str) -> Message {
    Message::request(kind).method(method).url(url).body("").without_header("content-type")
}
