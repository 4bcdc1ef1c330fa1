//! Contract 3.3: what was a recommendation for A2A is a duty, and a task binds its operation and
//! its principal.

use anyhow::Result;

use super::{A2A, A2A_FOLDER, A2A_FOLDER_3_3, CREATE, FOLDER_3_3};
use crate::own::{
    keys::{ED25519, Keys},
    message::{Kind, Message, Sent},
    vector::{Suite, Vector},
};

const TASKS: &str = "#operation-resolution-over-a2a: task continuation, since 3.3";
const DATA: &str = r#"{"data":{"skill":"create_media_buy","input":{}}}"#;

pub(super) fn add(suite: &mut Suite, keys: &Keys) -> Result<()> {
    let name = "A request of 3.3, on the wire as one of 3.2";
    let sent = Message::request(Kind::Request33).sign(keys, ED25519)?;
    suite.add(Vector::new(FOLDER_3_3, "wire-as-3-2", name, A2A, sent).transport("rest"));
    messages(suite, keys)?;
    continuation(suite, keys)
}

fn to(kind: Kind, body: &str) -> Message {
    Message::request(kind).url("https://seller.example.com/a2a").body(body)
}

fn message(rest: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{{"message":{{"messageId":"m","role":"ROLE_USER",{rest}}}}}}}"#
    )
}

fn parts(parts: &str) -> String {
    message(&format!(r#""parts":[{parts}]"#))
}

fn messages(suite: &mut Suite, keys: &Keys) -> Result<()> {
    let good = parts(DATA);
    for (slug, name, body) in [
        ("array", "The body is an array", format!("[{good}]")),
        ("array-after-space", "The body is an array after white space", format!(" \t\r\n[{good}]")),
        ("array-empty", "The body is an empty array", "[]".to_owned()),
        ("two-objects", "The body is two objects", format!("{good}{good}")),
        ("method-absent", "There is no method", good.replace(r#""method":"SendMessage","#, "")),
        ("method-number", "The method is a number", good.replace(r#""SendMessage""#, "1")),
        (
            "method-twice",
            "The method occurs twice",
            good.replace(r#""method""#, r#""method":"GetTask","method""#),
        ),
        (
            "method-other-case",
            "A member differs from method by letter case",
            good.replace(r#""method""#, r#""Method":"GetTask","method""#),
        ),
        (
            "params-twice",
            "The parameters occur twice",
            good.replace(r#""params""#, r#""params":{},"params""#),
        ),
        (
            "message-twice-escaped",
            "The message occurs twice, once with an escape",
            good.replace(r#""message""#, r#""mess\u0061ge":{},"message""#),
        ),
        (
            "role-twice",
            "A member of the message occurs twice, off the way to the skill",
            good.replace(r#""role""#, r#""role":"x","role""#),
        ),
        (
            "parts-other-case",
            "A member differs from parts by letter case",
            good.replace(r#""parts""#, r#""Parts":[],"parts""#),
        ),
        (
            "skill-twice-escaped",
            "The skill occurs twice, once with an escape",
            good.replace(r#""skill""#, r#""sk\u0069ll":"get_products","skill""#),
        ),
        (
            "skill-other-case",
            "A member differs from skill by letter case",
            good.replace(r#""skill""#, r#""Skill":"get_products","skill""#),
        ),
        ("skill-empty", "The skill is empty", good.replace(r#""create_media_buy""#, r#""""#)),
        ("skill-number", "The skill is a number", good.replace(r#""create_media_buy""#, "1")),
        ("skill-absent", "There is no skill", good.replace(r#""skill":"create_media_buy","#, "")),
        ("data-string", "The data is a string", parts(r#"{"data":"create_media_buy"}"#)),
        ("data-parts-two", "There are two DataParts", parts(&format!("{DATA},{DATA}"))),
        ("data-parts-none", "There is text alone", parts(r#"{"text":"create_media_buy"}"#)),
        ("part-empty", "A part has no content", parts(&format!("{DATA},{{}}"))),
        (
            "part-text-and-data",
            "A part has text and data",
            parts(r#"{"text":"x","data":{"skill":"create_media_buy"}}"#),
        ),
        (
            "part-file",
            "There is a FilePart of 0.3",
            parts(&format!(r#"{DATA},{{"kind":"file","file":{{"uri":"https://x.example"}}}}"#)),
        ),
        (
            "part-url",
            "There is a part by URL",
            parts(&format!(r#"{DATA},{{"url":"https://x.example"}}"#)),
        ),
        ("part-raw", "There is a part of raw bytes", parts(&format!(r#"{DATA},{{"raw":"AA=="}}"#))),
        (
            "part-kind",
            "The kind of a part disagrees with its content",
            parts(r#"{"kind":"text","data":{"skill":"create_media_buy"}}"#),
        ),
    ] {
        for signed in [false, true] {
            let message = to(Kind::Request33, &body);
            let (slug, sent) = if signed {
                (format!("{slug}-signed"), message.sign(keys, ED25519)?)
            } else {
                (slug.to_owned(), message.unsigned())
            };
            let suffix = if signed { ", under a valid signature" } else { "" };
            suite.add(
                Vector::new(A2A_FOLDER_3_3, slug, format!("{name}{suffix}"), A2A, sent)
                    .transport("a2a")
                    .refused("body_malformed", 0),
            );
        }
    }
    Ok(())
}

/// No vector can say whose a task is, so these are for a verifier that does not know: from 3.3 on
/// it refuses.
fn continuation(suite: &mut Suite, keys: &Keys) -> Result<()> {
    let going_on =
        |kind, member: &str| to(kind, &message(&format!(r#"{member},"parts":[{DATA}]"#)));
    let known = |kind| going_on(kind, r#""taskId":"task-1""#);
    let vector = |folder, slug: &str, name: &str, sent: Sent| {
        Vector::new(folder, slug, name, TASKS, sent).transport("a2a")
    };
    let at_3_3 = |slug: &str, name: &str, sent: Sent| vector(A2A_FOLDER_3_3, slug, name, sent);
    let signed = || known(Kind::Request33).sign(keys, ED25519);

    let name = "A signed message goes on with a task, and nobody says whose the task is";
    suite.add(at_3_3("task-signed", name, signed()?).refused_without_code("INVALID_REQUEST", 400));
    let name = "An unsigned message goes on with a task";
    let other = known(Kind::Request33)
        .body(message(&format!(
            r#""taskId":"task-1","parts":[{}]"#,
            DATA.replace(CREATE, "get_products")
        )))
        .unsigned();
    suite.add(at_3_3("task-unsigned", name, other).refused_without_code("INVALID_REQUEST", 400));
    let name = "Another credential says nothing of the task";
    suite.add(
        at_3_3("task-fallback", name, known(Kind::Request33).unsigned())
            .fallback(true)
            .refused_without_code("INVALID_REQUEST", 400),
    );
    let name = "The HTTP+JSON binding goes on with a task";
    let body = format!(r#"{{"message":{{"messageId":"m","taskId":"task-1","parts":[{DATA}]}}}}"#);
    let bound = to(Kind::Request33, &body).url("https://seller.example.com/a2a/message:send");
    suite.add(
        at_3_3("task-http-json", name, bound.sign(keys, ED25519)?)
            .refused_without_code("INVALID_REQUEST", 400),
    );
    let name = "A signature that fails is refused for that, before the task is asked about";
    let tampered = signed()?.body(&message(&format!(r#""taskId":"task-2","parts":[{DATA}]"#)));
    suite.add(at_3_3("task-signature-fails", name, tampered).refused("digest_mismatch", 11));
    let name = "A required signature is asked for before the task";
    suite.add(
        at_3_3("task-required", name, known(Kind::Request33).unsigned()).refused("required", 0),
    );
    for (slug, name, member) in [
        ("task-number", "The task is a number", r#""taskId":1"#),
        ("task-empty", "The task is empty", r#""taskId":"""#),
        ("task-twice", "The task occurs twice", r#""taskId":"a","taskId":"b""#),
        (
            "task-other-spelling",
            "The task is spelled as Protocol Buffers spell it",
            r#""task_id":"task-1""#,
        ),
    ] {
        let sent = going_on(Kind::Request33, member).sign(keys, ED25519)?;
        suite.add(at_3_3(slug, name, sent).refused("body_malformed", 0));
    }
    let name = "A task of null is none";
    let sent = going_on(Kind::Request33, r#""taskId":null"#).sign(keys, ED25519)?;
    suite.add(at_3_3("task-null", name, sent).resolves(Some(CREATE)));
    let name = "Before 3.3 a message may go on with a task";
    let sent = known(Kind::Request32).sign(keys, ED25519)?;
    suite.add(vector(A2A_FOLDER, "task-signed", name, sent).resolves(Some(CREATE)));
    Ok(())
}
