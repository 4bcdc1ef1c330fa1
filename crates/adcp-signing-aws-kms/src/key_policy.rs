//! What a key policy grants, as far as the policy alone says it.

use adcp_signing_core::provider::{Concern, Observation, Unseen};
use serde_json::Value;

const SIGN: &str = "kms:sign";
/// Actions by which a key, or who may use it, is changed.
const ADMINISTRATION: [&str; 8] = [
    "kms:putkeypolicy",
    "kms:creategrant",
    "kms:schedulekeydeletion",
    "kms:disablekey",
    "kms:deleteimportedkeymaterial",
    "kms:updatealias",
    "kms:createalias",
    "kms:deletealias",
];

/// What the policy of a key in this account amounts to.
pub(crate) fn judged(policy: &str, account: Option<&str>) -> Observation {
    let unreadable =
        || Observation::unseen(Unseen::NotAnswered, "the key policy is not one that can be read");
    let Ok(policy) = serde_json::from_str::<Value>(policy) else { return unreadable() };
    let mut leaves_it_to_iam = false;
    let mut is_wide = false;
    for statement in one_or_more(policy.get("Statement")) {
        let text = |name: &str| statement.get(name).and_then(Value::as_str);
        match text("Effect") {
            Some("Allow") => {}
            Some("Deny") => continue,
            _ => return unreadable(),
        }
        let actions = one_or_more(statement.get("Action")).filter_map(Value::as_str);
        let actions: Vec<_> = actions.map(str::to_ascii_lowercase).collect();
        let excepts = statement.get("NotAction").is_some();
        let may = |action: &str| excepts || actions.iter().any(|given| covers(given, action));
        if !may(SIGN) {
            continue;
        }
        let who: Vec<_> = match statement.get("Principal") {
            Some(Value::Object(kinds)) => kinds
                .iter()
                .flat_map(|(kind, who)| one_or_more(Some(who)).map(move |who| (kind.as_str(), who)))
                .filter_map(|(kind, who)| Some((kind, who.as_str()?)))
                .collect(),
            Some(Value::String(who)) => vec![("AWS", who.as_str())],
            // `NotPrincipal` allows everybody but a few.
            _ => vec![("AWS", "*")],
        };
        let conditional = statement.get("Condition").is_some();
        if !conditional && who.contains(&("AWS", "*")) {
            return Observation::concern(
                Concern::OpenToAll,
                "the key policy lets everybody sign, in every account; name the principals that may",
            );
        }
        let is_account = |(kind, who): &(&str, &str)| *kind == "AWS" && is_root(who, account);
        leaves_it_to_iam |= who.iter().any(is_account);
        let administers = ADMINISTRATION.iter().any(|action| may(action));
        is_wide |= administers && !who.iter().all(is_account);
    }
    if is_wide {
        Observation::concern(
            Concern::WidePermissions,
            "a statement of the key policy lets one principal sign with the key and change it; give signers kms:Sign, \
             kms:GetPublicKey and kms:DescribeKey alone",
        )
    } else if leaves_it_to_iam {
        Observation::unseen(
            Unseen::NotShown,
            "the key policy leaves it to the IAM policies of the account, which AWS KMS does not show; see the IAM \
             policy simulator",
        )
    } else {
        Observation::good("no principal of the key policy may both sign with the key and change it")
    }
}

/// A member that is one value, or an array of them.
fn one_or_more(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    let (one, more) = match value {
        Some(Value::Array(more)) => (None, more.as_slice()),
        one => (one, [].as_slice()),
    };
    one.into_iter().chain(more)
}

/// Whether a pattern of a policy, in lower case, covers an action: `*` is any text, `?` one
/// character.
fn covers(pattern: &str, action: &str) -> bool {
    let (pattern, action) = (pattern.as_bytes(), action.as_bytes());
    let (mut at, mut done) = (0, 0);
    // Where the last `*` was, and how much of the action it has taken.
    let mut star: Option<(usize, usize)> = None;
    while let Some(byte) = action.get(done) {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, done));
                at += 1;
            }
            Some(b'?') => (at, done) = (at + 1, done + 1),
            Some(wanted) if wanted == byte => (at, done) = (at + 1, done + 1),
            _ => match &mut star {
                Some((of, taken)) => {
                    *taken += 1;
                    (at, done) = (*of + 1, *taken);
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(at).all(|byte| *byte == b'*')
}

/// Whether a principal stands for the whole account of the key, which means that its IAM policies
/// decide: `arn:aws:iam::ACCOUNT:root`, or the account alone.
fn is_root(principal: &str, account: Option<&str>) -> bool {
    account.is_some_and(|account| {
        let of_arn = principal.strip_suffix(":root").and_then(|arn| arn.rsplit(':').next());
        principal == account || of_arn == Some(account)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ROOT: &str = "arn:aws:iam::111122223333:root";
    const ROLE: &str = "arn:aws:iam::111122223333:role/buyer";

    fn code(statements: Value) -> &'static str {
        let policy = json!({ "Version": "2012-10-17", "Statement": statements }).to_string();
        judged(&policy, Some("111122223333")).code()
    }

    #[test]
    fn a_policy_is_judged_by_who_may_sign() {
        let allow = |principal: Value, action: Value| json!({"Effect": "Allow", "Principal": principal, "Action": action});
        let signer = allow(json!({ "AWS": ROLE }), json!(["kms:Sign", "kms:GetPublicKey"]));
        let default = allow(json!({ "AWS": ROOT }), json!("kms:*"));
        for (statements, expected) in [
            (json!([signer]), "ok"),
            // The default policy of a new key.
            (json!(default), "not_shown"),
            (json!([default, signer]), "not_shown"),
            (json!([allow(json!({ "AWS": "111122223333" }), json!("kms:*"))]), "not_shown"),
            (json!([allow(json!({ "AWS": ROLE }), json!("kms:*"))]), "permissions_wide"),
            (json!([allow(json!({ "AWS": ROLE }), json!("*"))]), "permissions_wide"),
            (
                json!([allow(json!({ "AWS": [ROOT, ROLE] }), json!(["KMS:SIGN", "kms:Put*"]))]),
                "permissions_wide",
            ),
            // The root of another account is a principal like any other.
            (
                json!([allow(json!({ "AWS": "arn:aws:iam::999922223333:root" }), json!("kms:*"))]),
                "permissions_wide",
            ),
            (json!([allow(json!("*"), json!("kms:Sign"))]), "permissions_open"),
            (json!([allow(json!({ "AWS": "*" }), json!("kms:S?gn"))]), "permissions_open"),
            (
                json!([{"Effect": "Allow", "NotPrincipal": {"AWS": ROLE}, "Action": "kms:Sign"}]),
                "permissions_open",
            ),
            (
                json!([{"Effect": "Allow", "Principal": {"AWS": ROLE}, "NotAction": "kms:Decrypt"}]),
                "permissions_wide",
            ),
            // Administrators who cannot sign.
            (
                json!([
                    allow(json!({ "AWS": ROLE }), json!(["kms:Put*", "kms:Schedule*"])),
                    signer
                ]),
                "ok",
            ),
            (json!([allow(json!("*"), json!("kms:DescribeKey")), signer]), "ok"),
            (json!([{"Effect": "Deny", "Principal": "*", "Action": "kms:*"}, signer]), "ok"),
            (
                json!([{"Effect": "Allow", "Principal": "*", "Action": "kms:Sign",
                    "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}}]),
                "ok",
            ),
            (json!([{"Effect": "allow"}]), "not_answered"),
        ] {
            assert_eq!(code(statements.clone()), expected, "{statements}");
        }
        assert_eq!(judged("{", None).code(), "not_answered");
    }

    #[test]
    fn a_pattern_covers_what_iam_says_it_does() {
        for (pattern, covered) in [
            ("kms:sign", true),
            ("*", true),
            ("kms:*", true),
            ("k*s:*n", true),
            ("kms:s?gn", true),
            ("*******************************", true),
            ("kms:sign*", true),
            ("kms:sig", false),
            ("kms:signs", false),
            ("kms:?sign", false),
            ("s3:*", false),
            ("", false),
        ] {
            assert_eq!(covers(pattern, SIGN), covered, "{pattern}");
        }
    }
}
