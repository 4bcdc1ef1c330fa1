//! What the server shows about how it keeps a key, and about what the token may do.

use std::collections::HashMap;

use adcp_signing_core::provider::{Concern, Inspection, Observation, Unseen};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::{
    VaultTransitProvider,
    failure::Operation,
    http::Call,
    key_description::{Description, describe},
    provider::read_key,
};

/// The server's description of a token's rights.
const CAPABILITIES: &str = "sys/capabilities-self";
const NEEDED: &str = "a signer needs `read` on the key and `update` on its sign path";

impl VaultTransitProvider {
    /// What the server shows about how it keeps the key, and about what the token may do.
    pub async fn inspect(&self) -> Inspection {
        let (mount, name) = self.place();
        let reply = self.client().call(Operation::ReadKey, &read_key(mount, name)).await;
        let described = reply.and_then(|reply| describe(&reply.body));
        let (export, rotation) = match &described {
            Ok(key) => (export(key), rotation(key)),
            Err(error) => {
                let unseen = Observation::of_failure(error, "`read` on the key");
                (unseen.clone(), unseen)
            }
        };
        Inspection::new(export, rotation, self.permissions().await)
    }

    async fn permissions(&self) -> Observation {
        let (mount, name) = self.place();
        let paths = paths(mount, name);
        let asked: Vec<&str> = paths.iter().map(|(path, ..)| path.as_str()).collect();
        let body = json!({ "paths": asked }).to_string().into_bytes();
        let call = Call {
            method: Method::POST,
            path: CAPABILITIES.to_owned(),
            body: Zeroizing::new(body),
        };
        match self.client().send(Operation::Capabilities, &call).await {
            Ok(reply) => judged(&reply.body, &paths),
            Err(error) => Observation::of_failure(&error, "`update` on sys/capabilities-self"),
        }
    }
}

fn export(key: &Description) -> Observation {
    if key.exportable || key.allow_plaintext_backup {
        return Observation::concern(
            Concern::Exportable,
            "the key can be exported or backed up in plaintext, which cannot be undone; make another, without \
             `exportable` and `allow_plaintext_backup`, and rotate to it",
        );
    }
    if key.imported_key {
        return Observation::concern(
            Concern::Imported,
            "the key was imported, so a copy may be elsewhere; make one in the engine, and rotate to it",
        );
    }
    Observation::good("the key was made in the engine, which does not hand it out")
}

/// The period is a number of seconds, or in some versions a duration as a text.
fn rotation(key: &Description) -> Observation {
    let never = match &key.auto_rotate_period {
        Value::Null => true,
        Value::Number(seconds) => seconds.as_u64() == Some(0),
        Value::String(period) => ["", "0", "0s"].contains(&period.as_str()),
        _ => false,
    };
    if never {
        return Observation::good("the engine makes no version by itself");
    }
    Observation::concern(
        Concern::AutomaticRotation,
        "the engine makes new versions by itself (auto_rotate_period), which are not published; set it to 0, and \
         rotate by hand once the next version is in the JWKS",
    )
}

/// Paths of the engine, what they are called in a report, and the rights that signing needs there.
fn paths(mount: &str, name: &str) -> Vec<(String, &'static str, &'static [&'static str])> {
    let of = |what: &str, more: &str| format!("{mount}/{what}/{name}{more}");
    vec![
        (of("keys", ""), "the key", &["read"]),
        (of("sign", ""), "its sign path", &["update"]),
        (of("keys", "/config"), "its config", &[]),
        (of("keys", "/rotate"), "its rotate", &[]),
        (of("keys", "/trim"), "its trim", &[]),
        (of("export/signing-key", ""), "its export", &[]),
        (of("backup", ""), "its backup", &[]),
    ]
}

/// What the rights on the paths amount to.
fn judged(reply: &[u8], paths: &[(String, &str, &[&str])]) -> Observation {
    #[derive(Deserialize)]
    struct Reply {
        data: HashMap<String, Value>,
    }
    let unreadable =
        || Observation::unseen(Unseen::NotAnswered, "the server's answer is not what this API has");
    let Ok(Reply { data }) = serde_json::from_slice(reply) else { return unreadable() };
    let mut wide = Vec::new();
    for (path, called, needed) in paths {
        let rights: Option<Vec<&str>> = data
            .get(path)
            .and_then(Value::as_array)
            .and_then(|rights| rights.iter().map(Value::as_str).collect());
        let Some(rights) = rights else { return unreadable() };
        let more: Vec<&str> = rights
            .into_iter()
            .filter(|right| *right != "deny" && !needed.contains(right))
            // A text of the server's is shown only where it is a right's name.
            .map(|right| if RIGHTS.contains(&right) { right } else { "another right" })
            .collect();
        if !more.is_empty() {
            wide.push(format!("{} on {called}", more.join(", ")));
        }
    }
    if wide.is_empty() {
        return Observation::good("the token may read the key and sign with it, and no more");
    }
    Observation::concern(
        Concern::WidePermissions,
        format!(
            "the token may do more than sign: {}; narrow its policy, {NEEDED}",
            wide.join("; ")
        ),
    )
}

const RIGHTS: [&str; 9] =
    ["create", "read", "update", "patch", "delete", "list", "sudo", "root", "scan"];

#[cfg(test)]
mod tests {
    use super::*;

    fn described(member: &str, value: Value) -> Description {
        let mut data = json!({ "type": "ed25519" });
        data[member] = value;
        describe(json!({ "data": data }).to_string().as_bytes()).unwrap()
    }

    #[test]
    fn a_key_that_can_leave_or_came_from_outside_is_a_concern() {
        for (member, value, code) in [
            ("exportable", json!(true), "key_exportable"),
            ("allow_plaintext_backup", json!(true), "key_exportable"),
            ("imported_key", json!(true), "key_imported"),
            ("exportable", json!(false), "ok"),
        ] {
            assert_eq!(export(&described(member, value.clone())).code(), code, "{member} {value}");
        }
    }

    #[test]
    fn a_period_of_rotation_is_a_concern_however_it_is_written() {
        for (period, code) in [
            (json!(0), "ok"),
            (json!("0s"), "ok"),
            (Value::Null, "ok"),
            (json!(3600), "key_rotates"),
            (json!("720h"), "key_rotates"),
            (json!([]), "key_rotates"),
        ] {
            let key = described("auto_rotate_period", period.clone());
            assert_eq!(rotation(&key).code(), code, "{period}");
        }
    }

    #[test]
    fn every_right_that_signing_does_not_need_is_named() {
        let paths = paths("transit", "buyer");
        let mut least = json!({});
        for (path, _, needed) in &paths {
            least[path] = if needed.is_empty() { json!(["deny"]) } else { json!(needed) };
        }
        let judge = |path: &str, rights: Value| {
            let mut data = least.clone();
            data[path] = rights;
            judged(json!({ "data": data }).to_string().as_bytes(), &paths)
        };
        for (path, rights, code, named) in [
            ("transit/keys/buyer", json!(["read"]), "ok", "no more"),
            ("transit/keys/buyer", json!(["deny"]), "ok", "no more"),
            (
                "transit/keys/buyer",
                json!(["delete", "read"]),
                "permissions_wide",
                "delete on the key",
            ),
            ("transit/sign/buyer", json!(["root"]), "permissions_wide", "root on its sign path"),
            ("transit/keys/buyer/config", json!(["update"]), "permissions_wide", "on its config"),
            ("transit/export/signing-key/buyer", json!(["read"]), "permissions_wide", "its export"),
            ("transit/backup/buyer", json!(["hvs.x"]), "permissions_wide", "another right on"),
            ("transit/keys/buyer/trim", json!("update"), "not_answered", "not what"),
        ] {
            let seen = judge(path, rights.clone());
            assert_eq!(seen.code(), code, "{path} {rights}: {seen:?}");
            assert!(seen.message().contains(named), "{seen:?}");
            assert!(!seen.message().contains("hvs") && !seen.message().contains("buyer"));
        }
        assert_eq!(judged(b"{}", &paths).code(), "not_answered");
    }
}
