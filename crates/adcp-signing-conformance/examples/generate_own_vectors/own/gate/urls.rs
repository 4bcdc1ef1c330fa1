//! URLs that have no canonical form, so that nobody can tell where an unsigned request goes.

use anyhow::Result;
use serde_json::json;

use super::{A2A_FOLDER, CREATE, FOLDER, MCP_FOLDER, OPERATION, bare, by_path, request, requiring};
use crate::own::{
    keys::{ED25519, Keys},
    message::{Kind, Sent},
    vector::{Suite, Vector},
};

const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"create_media_buy","arguments":{}}}"#;
const SEND: &str = r#"{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{"message":{"messageId":"m","role":"ROLE_USER","parts":[{"data":{"skill":"create_media_buy"}}]}}}"#;

/// Slug, name and URL of each.
fn odd_urls() -> Vec<(&'static str, &'static str, String)> {
    let long = "a".repeat(8200);
    let fixed = [
        (
            "port-empty",
            "The port is empty, and the query ends in another operation",
            "https://seller.example.com:/adcp/create_media_buy?x=/get_products",
        ),
        (
            "port-leading-zero",
            "The port has a leading zero",
            "https://seller.example.com:0443/adcp/create_media_buy?x=1",
        ),
        (
            "a-label-broken",
            "The host has an A-label that decodes to nothing",
            "https://xn--a-.example.com/adcp/create_media_buy?x=1",
        ),
        (
            "origin-form",
            "The URL is a path, and the query ends in another operation",
            "/adcp/create_media_buy?x=/y",
        ),
        (
            "percent-without-digits",
            "A percent sign of the path has no digits",
            "https://seller.example.com/adcp/%zz/create_media_buy",
        ),
        (
            "host-non-ascii",
            "The host is not ASCII",
            "https://münchen.example/adcp/create_media_buy",
        ),
    ];
    let mut urls: Vec<_> =
        fixed.into_iter().map(|(slug, name, url)| (slug, name, url.to_owned())).collect();
    let create = "https://seller.example.com/adcp/create_media_buy";
    urls.push(("query-too-long", "The query is too long", format!("{create}?x={long}")));
    urls.push((
        "query-too-long-names-another",
        "The query is too long and ends in another operation",
        format!("{create}?x={long}/get_products"),
    ));
    urls.push(("fragment-too-long", "The fragment is too long", format!("{create}#{long}")));
    urls
}

pub(super) fn add(suite: &mut Suite, keys: &Keys) -> Result<()> {
    for (slug, name, url) in odd_urls() {
        let to = |body: &str| request().url(&url).body(body).unsigned();
        for vector in [
            by_path(&format!("unsigned-{slug}-by-path"), name, to("{}")),
            Vector::new(FOLDER, format!("unsigned-{slug}-by-route"), name, OPERATION, to("{}"))
                .transport("rest")
                .operation(CREATE),
            Vector::new(MCP_FOLDER, format!("unsigned-{slug}"), name, OPERATION, to(CALL))
                .transport("mcp"),
            Vector::new(A2A_FOLDER, format!("unsigned-{slug}"), name, OPERATION, to(SEND))
                .transport("a2a"),
        ] {
            suite.add(vector.refused("target_uri_malformed", 0));
        }
    }
    let list = bare(Kind::Request32, "GET", "https://s.example.com:/v1/tasks?pageSize=9");
    let name = "The port is empty, and the path stands for a required protocol method";
    suite.add(
        Vector::new(A2A_FOLDER, "unsigned-port-empty-list", name, OPERATION, list.unsigned())
            .transport("a2a")
            .capability(requiring(&[], &["ListTasks"]))
            .refused("target_uri_malformed", 0),
    );

    let odd = "https://seller.example.com:/adcp/create_media_buy";
    let unsigned = || request().url(odd).unsigned();
    let signed = || {
        let message = request().sent_to(odd, "https://seller.example.com/adcp/create_media_buy");
        message.sign(keys, ED25519)
    };
    let warn =
        json!({"supported": true, "covers_content_digest": "required", "warn_for": [CREATE]});
    let vector = |slug, name, sent: Sent| {
        Vector::new(FOLDER, slug, name, OPERATION, sent)
            .transport("rest")
            .operation(CREATE)
            .fallback(true)
    };
    let name = "Another credential does not excuse a URL without a canonical form";
    suite.add(
        vector("unsigned-odd-url-fallback", name, unsigned()).refused("target_uri_malformed", 0),
    );
    let name = "Shadow mode does not excuse a URL without a canonical form, unsigned";
    suite.add(
        vector("warn-odd-url-unsigned", name, unsigned())
            .capability(warn.clone())
            .refused("target_uri_malformed", 0)
            .action("reject"),
    );
    let name = "Shadow mode does not excuse a URL without a canonical form, signed";
    suite.add(
        vector("warn-odd-url-signed", name, signed()?)
            .capability(warn.clone())
            .refused("target_uri_malformed", 10)
            .action("reject"),
    );
    let name = "Shadow mode does not excuse a host that was not signed";
    let sent = request().sign(keys, ED25519)?.header("Host", "other.example.com");
    suite.add(
        vector("warn-host-of-another", name, sent)
            .capability(warn)
            .refused("target_uri_malformed", 10)
            .action("reject"),
    );
    Ok(())
}
