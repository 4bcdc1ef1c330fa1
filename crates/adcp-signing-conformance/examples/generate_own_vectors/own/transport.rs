//! Step 10, its first half, and steps 11 and 14: where the message was sent to, and what it
//! carries.

use anyhow::Result;
use base64ct::{Base64, Encoding as _};
use sha2::{Digest as _, Sha256};

use super::{
    keys::{ED25519, Keys},
    message::{Kind, Message},
    vector::{Suite, Vector},
};

const FOLDER: &str = "3.2.4/request-signing";
const AUTHORITY: &str = "#adcp-rfc-9421-profile @authority; #verifier-checklist-requests step 10";
const URL: &str = "url-canonicalization.mdx";
const BODY: &str = "#verifier-checklist-requests step 14";

fn request() -> Message {
    Message::request(Kind::Request32)
}

pub(crate) fn add(suite: &mut Suite, keys: &Keys) -> Result<()> {
    authority(suite, keys)?;
    target_uri(suite, keys)?;
    bodies(suite, keys)
}

fn authority(suite: &mut Suite, keys: &Keys) -> Result<()> {
    for (slug, name, message) in [
        (
            "host-of-another",
            "Validly signed for one host and received by another",
            request().header("Host", "other.example.com"),
        ),
        (
            "host-other-port",
            "Host has a port that was not signed",
            request().header("Host", "seller.example.com:8443"),
        ),
        (
            "host-with-userinfo",
            "Host has userinfo",
            request().header("Host", "buyer@seller.example.com"),
        ),
        ("host-empty", "Host is empty", request().header("Host", "")),
        (
            "host-list",
            "Host names two hosts on one line",
            request().header("Host", "seller.example.com, seller.example.com"),
        ),
        (
            "host-twice",
            "Host came twice, both times right",
            request().header("Host", "seller.example.com").header("Host", "seller.example.com"),
        ),
        (
            "host-non-ascii",
            "Host is not ASCII",
            request()
                .url("https://xn--mnchen-3ya.example/adcp/create_media_buy")
                .header("Host", "münchen.example"),
        ),
        (
            "pseudo-authority-of-another",
            ":authority is of another host",
            request().pseudo_authority("other.example.com"),
        ),
        (
            "host-disagrees-with-pseudo-authority",
            ":authority is right and Host is of another host",
            request().pseudo_authority("seller.example.com").header("Host", "other.example.com"),
        ),
        (
            "pseudo-authority-disagrees-with-host",
            "Host is right and :authority is of another host",
            request().pseudo_authority("other.example.com").header("Host", "seller.example.com"),
        ),
    ] {
        let sent = message.sign(keys, ED25519)?;
        suite.add(
            Vector::new(FOLDER, slug, name, AUTHORITY, sent).refused("target_uri_malformed", 10),
        );
    }
    for (slug, name, message) in [
        ("host", "Host is the signed authority", request().header("Host", "seller.example.com")),
        (
            "host-not-canonical",
            "Host has upper case, the default port and a root dot",
            request().header("Host", "Seller.Example.COM.:443"),
        ),
        (
            "pseudo-authority",
            ":authority is the signed authority",
            request().pseudo_authority("seller.example.com"),
        ),
        (
            "host-and-pseudo-authority",
            ":authority and Host both came and agree",
            request()
                .pseudo_authority("seller.example.com")
                .header("Host", "SELLER.example.com:443"),
        ),
        (
            "host-with-port",
            "Host has the port that was signed",
            request()
                .url("https://seller.example.com:8443/adcp/create_media_buy")
                .header("Host", "seller.example.com:8443"),
        ),
    ] {
        suite.add(Vector::new(FOLDER, slug, name, AUTHORITY, message.sign(keys, ED25519)?));
    }
    Ok(())
}

fn target_uri(suite: &mut Suite, keys: &Keys) -> Result<()> {
    const CREATE: &str = "https://seller.example.com/adcp/create_media_buy";
    for (slug, name, url, signed) in [
        (
            "url-zone-identifier",
            "The IPv6 host has a zone identifier",
            "https://[fe80::1%25eth0]/adcp/create_media_buy",
            CREATE,
        ),
        (
            "url-port-out-of-range",
            "The port is 65536",
            "https://seller.example.com:65536/adcp/create_media_buy",
            CREATE,
        ),
        ("url-no-scheme", "The URL is relative", "/adcp/create_media_buy", CREATE),
        (
            "url-other-scheme",
            "The scheme is ftp",
            "ftp://seller.example.com/adcp/create_media_buy",
            CREATE,
        ),
        (
            "url-inner-empty-label",
            "The host has an empty label inside",
            "https://seller..example.com/adcp/create_media_buy",
            CREATE,
        ),
        (
            "url-two-at-signs",
            "The authority has two at signs",
            "https://a@b@seller.example.com/adcp/create_media_buy",
            CREATE,
        ),
        (
            "url-percent-without-digits",
            "A percent sign of the path has no digits",
            "https://seller.example.com/adcp/%zz/create_media_buy",
            CREATE,
        ),
    ] {
        let sent = request().sent_to(url, signed).sign(keys, ED25519)?;
        suite.add(
            Vector::new(FOLDER, slug, name, URL, sent)
                .operation("create_media_buy")
                .refused("target_uri_malformed", 10),
        );
    }
    for (slug, name, received, signed) in [
        ("query-other-order", "The query was reordered on the way", "?b=2&a=1", "?a=1&b=2"),
        (
            "query-other-escapes",
            "An escape of the query was respelled on the way",
            "?a=%7E",
            "?a=%7e",
        ),
        ("query-empty-dropped", "The empty query was dropped on the way", "", "?"),
    ] {
        let sent = request().sent_to(&format!("{CREATE}{received}"), &format!("{CREATE}{signed}"));
        suite.add(
            Vector::new(FOLDER, slug, name, URL, sent.sign(keys, ED25519)?).refused("invalid", 10),
        );
    }
    for (slug, name, received, signed) in [
        (
            "url-every-step",
            "All eight steps have something to do",
            "HTTPS://user:pw@Seller.Example.COM.:443/a/./b/../../adcp/%63reate%5fmedia_buy?q=%7e%2f#top",
            "https://seller.example.com/adcp/create_media_buy?q=%7e%2f",
        ),
        (
            "url-slashes-and-escapes",
            "Doubled slashes and an escaped slash stay",
            "https://seller.example.com//adcp/a%2fb/create_media_buy",
            "https://seller.example.com//adcp/a%2Fb/create_media_buy",
        ),
        (
            "url-empty-query",
            "The empty query stays",
            "https://seller.example.com/adcp/create_media_buy?",
            "https://seller.example.com/adcp/create_media_buy?",
        ),
    ] {
        let sent = request().sent_to(received, signed).sign(keys, ED25519)?;
        suite.add(Vector::new(FOLDER, slug, name, URL, sent));
    }
    Ok(())
}

fn bodies(suite: &mut Suite, keys: &Keys) -> Result<()> {
    const REST: &str = "create_media_buy";
    for (slug, name, body) in [
        ("key-twice", "An object has a key twice", br#"{"plan_id":"a","plan_id":"a"}"#.as_slice()),
        (
            "key-twice-nested",
            "A nested object has a key twice",
            br#"{"a":[{"b":{"c":1,"d":2,"c":3}}]}"#,
        ),
        (
            "key-twice-escaped",
            "A key occurs twice, once with an escape",
            br#"{"plan_id":"a","pl\u0061n_id":"b"}"#,
        ),
        (
            "key-twice-surrogates",
            "A key outside the basic plane occurs twice, once as a surrogate pair",
            "{\"\u{1F600}\":1,\"\\ud83d\\ude00\":2}".as_bytes(),
        ),
        ("key-twice-empty", "The empty key occurs twice", br#"{"":1,"":2}"#),
        (
            "body-not-utf-8",
            "The body is declared as JSON and is not UTF-8",
            b"{\"plan_id\":\"\xff\"}",
        ),
        (
            "body-overlong-utf-8",
            "The body spells a character in too many bytes",
            b"{\"a\":\"\xc0\xaf\"}",
        ),
        (
            "body-truncated",
            "The body is declared as JSON and ends early",
            br#"{"plan_id":"plan_001""#,
        ),
        ("body-two-values", "The body is two JSON texts", br#"{"a":1}{"a":2}"#),
        ("body-trailing-comma", "An object of the body ends in a comma", br#"{"a":1,}"#),
        ("body-comment", "The body has a comment", br#"{"a":1/*,"a":2*/}"#),
        ("body-single-quotes", "The body has strings in single quotes", br#"{'a':1}"#),
        (
            "body-bom",
            "The body begins with a byte order mark",
            b"\xef\xbb\xbf{\"plan_id\":\"plan_001\"}",
        ),
        ("body-utf-16", "The body is UTF-16", b"{\0\"\0a\0\"\0:\x001\0}\0"),
        ("body-not-a-number", "A number of the body is NaN", br#"{"a":NaN}"#),
    ] {
        let sent = request().body(body).sign(keys, ED25519)?;
        suite.add(
            Vector::new(FOLDER, slug, name, BODY, sent)
                .operation(REST)
                .refused("body_malformed", 14),
        );
    }
    let deep = format!("{}1{}", "[".repeat(129), "]".repeat(129));
    let sent = request().body(deep).sign(keys, ED25519)?;
    let name = "Arrays nest 129 deep, twice as deep as is read";
    suite.add(
        Vector::new(FOLDER, "body-too-deep", name, super::gate::BOUNDS, sent)
            .operation(REST)
            .refused_without_code("body_too_complex", 413),
    );
    let sent =
        request().content_type("text/plain").body(br#"{"a":1,"a":2}"#).sign(keys, ED25519)?;
    let name = "Duplicate keys under another content type";
    suite.add(
        Vector::new(FOLDER, "key-twice-in-text", name, BODY, sent)
            .operation(REST)
            .refused("body_malformed", 14),
    );
    for (slug, name, content_type, body) in [
        (
            "octets",
            "A body that is not UTF-8 and is not declared as JSON",
            "application/octet-stream",
            b"\xff\xfe\x00\x01".as_slice(),
        ),
        ("text", "A body of plain text", "text/plain; charset=utf-8", "{ naïve".as_bytes()),
        ("json-scalar", "A JSON body that is no object", "application/json", b"null"),
        (
            "json-same-key-in-siblings",
            "Sibling objects have the same keys",
            "application/json",
            br#"[{"a":1},{"a":2}]"#,
        ),
        (
            "json-keys-that-differ-in-normalization",
            "Two keys differ in Unicode normalization alone, and so differ",
            "application/json",
            "{\"\u{e9}\":1,\"e\u{301}\":2}".as_bytes(),
        ),
        (
            "content-type-quoted-comma",
            "Content-Type has a comma in a quoted string",
            r#"application/json; x="a,b""#,
            b"{}",
        ),
    ] {
        let sent = request().content_type(content_type).body(body).sign(keys, ED25519)?;
        suite.add(Vector::new(FOLDER, slug, name, BODY, sent).operation(REST));
    }
    let sent = request().sign(keys, ED25519)?.body("{\"plan_id\": \"plan_001\"}");
    let name = "The body was serialized anew on the way";
    suite.add(
        Vector::new(
            FOLDER,
            "body-reserialized",
            name,
            "#content-digest-and-proxy-compatibility",
            sent,
        )
        .refused("digest_mismatch", 11),
    );
    let digest = Base64::encode_string(&Sha256::digest(b"{}"));
    let sent =
        request().header("Content-Digest", format!("sha-256=:{digest}:")).sign(keys, ED25519)?;
    let name = "The signer covered the digest of another body";
    suite.add(
        Vector::new(
            FOLDER,
            "digest-of-another-body",
            name,
            "#verifier-checklist-requests step 11",
            sent,
        )
        .refused("digest_mismatch", 11),
    );
    Ok(())
}

/// Methods in another case than upper, bodies of another length than `Content-Length` announces, and
/// labels next to an A-label.
pub(crate) fn add_later(suite: &mut Suite, keys: &Keys) -> Result<()> {
    const METHOD: &str =
        "#adcp-rfc-9421-profile covered components; #verifier-checklist-requests step 10";
    const LENGTH: &str = "RFC 9110 section 8.6; #verifier-checklist-requests step 11";

    for (slug, name, message) in [
        ("method-lower-case-as-sent", "The method is signed in lower case, as it is sent", {
            request().method("post")
        }),
        ("method-lower-case", "The method is signed in upper case and sent in lower case", {
            request().method("post").uncover("@method").cover_as("\"@method\"", "POST")
        }),
        ("method-mixed-case", "The method is signed in upper case and sent in mixed case", {
            request().method("Post").uncover("@method").cover_as("\"@method\"", "POST")
        }),
    ] {
        let sent = message.sign(keys, ED25519)?;
        suite.add(Vector::new(FOLDER, slug, name, METHOD, sent).refused("invalid", 10));
    }
    for (slug, name, length) in [
        ("content-length-longer", "Content-Length announces more than the body has", "23"),
        ("content-length-shorter", "Content-Length announces less than the body has", "21"),
        ("content-length-list", "Content-Length has the right length twice", "22, 22"),
    ] {
        let sent = request().sign(keys, ED25519)?.header("Content-Length", length);
        suite.add(Vector::new(FOLDER, slug, name, LENGTH, sent).refused("digest_mismatch", 11));
    }
    let empty = || {
        request().method("GET").body("").without_header("content-type").covering(&[
            "@method",
            "@target-uri",
            "@authority",
        ])
    };
    let name = "Signed without a body, and Content-Length announces one that was not read";
    let sent = empty().sign(keys, ED25519)?.header("Content-Length", "22");
    suite.add(
        Vector::new(FOLDER, "content-length-without-body", name, LENGTH, sent)
            .refused("digest_mismatch", 11),
    );
    let name = "Unsigned, and Content-Length announces a body that was not read";
    let sent = empty().header("Content-Length", "22").unsigned();
    suite.add(
        Vector::new(FOLDER, "content-length-unsigned", name, LENGTH, sent)
            .refused("body_malformed", 0),
    );
    let name = "Content-Length is the length of the body";
    let sent = request().sign(keys, ED25519)?.header("Content-Length", "22");
    suite.add(Vector::new(FOLDER, "content-length", name, LENGTH, sent));
    for (slug, name, url) in [
        (
            "host-hyphens-next-to-a-label",
            "A label with hyphens in third and fourth place stands next to an A-label",
            "https://r2---sn-huoa.xn--bcher-kva.example/adcp/create_media_buy",
        ),
        (
            "host-hyphens",
            "A label with hyphens in third and fourth place",
            "https://r2---sn-huoa.example/adcp/create_media_buy",
        ),
    ] {
        let sent = request().url(url).sign(keys, ED25519)?;
        suite.add(Vector::new(FOLDER, slug, name, URL, sent));
    }
    Ok(())
}
