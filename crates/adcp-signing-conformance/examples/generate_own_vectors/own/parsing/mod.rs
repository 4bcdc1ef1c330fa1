//! Steps 1 to 6: what the fields of a signature may look like.

mod bounds;
mod components;
mod fields;
mod legal;
mod parameters;
mod steps;

use anyhow::Result;

use super::{
    keys::Keys,
    message::{Kind, Message, Sent},
    vector::{Suite, Vector},
};

pub(super) use self::fields::{add_later, stray_bits};

const FOLDER: &str = "3.2.4/request-signing";
const STEP_1: &str = "#verifier-checklist-requests step 1";
const STEP_5: &str = "#verifier-checklist-requests step 5";
const STEP_6: &str = "#verifier-checklist-requests step 6";

pub(crate) fn add(suite: &mut Suite, keys: &Keys) -> Result<()> {
    parameters::add(suite, keys)?;
    components::add(suite, keys)?;
    fields::add(suite, keys)?;
    bounds::add(suite, keys)?;
    steps::add(suite, keys)?;
    legal::add(suite, keys)
}

fn request() -> Message {
    Message::request(Kind::Request32)
}

/// A request that is valid for this time.
fn window(created: i64, expires: i64) -> Message {
    request().param("created", created.to_string()).param("expires", expires.to_string())
}

/// What the parser refuses.
fn malformed(slug: &'static str, name: &'static str, spec: &'static str, sent: Sent) -> Vector {
    Vector::new(FOLDER, slug, name, spec, sent).refused("header_malformed", 1)
}
