//! What the fake Google Cloud KMS refuses, over plain sockets. That it signs as the service does is
//! for Google's own client to say, in the tests of `adcp-signing-gcp-kms`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::net::{Ipv4Addr, SocketAddr};

use adcp_signing_fakes::gcp_kms::FakeGcpKms;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};

use support::{Reply, exchange};

const RINGS: &str = "/v1/projects/p/locations/l/keyRings";
const TOKEN: &str = "the-token";
const SIGNER: &str = "the-signer";

async fn server() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = FakeGcpKms::new(TOKEN, "p").with_signer_token(SIGNER);
    tokio::spawn(server.serve(listener));
    address
}

async fn call(server: SocketAddr, method: &str, path: &str, token: &str, body: &Value) -> Reply {
    let connection = TcpStream::connect(server).await.unwrap();
    exchange(connection, [method, path, "kms"], Some(token), body).await
}

#[tokio::test]
async fn token_project_path_and_body_are_checked() {
    let server = server().await;
    let nothing = json!({});
    for (method, path, token, body, status, code) in [
        ("GET", RINGS, "another", &nothing, 401, json!("UNAUTHENTICATED")),
        (
            "GET",
            "/v1/projects/q/locations/l/keyRings",
            TOKEN,
            &nothing,
            403,
            json!("PERMISSION_DENIED"),
        ),
        (
            "GET",
            "/v1/projects/p/locations/l/keyRings/none",
            TOKEN,
            &nothing,
            404,
            json!("NOT_FOUND"),
        ),
        ("POST", RINGS, TOKEN, &nothing, 400, json!("INVALID_ARGUMENT")),
        ("DELETE", RINGS, TOKEN, &nothing, 404, Value::Null),
        ("GET", "/v2/projects/p/locations/l/keyRings", TOKEN, &nothing, 404, Value::Null),
        ("GET", RINGS, TOKEN, &nothing, 200, Value::Null),
    ] {
        let reply = call(server, method, path, token, body).await;
        assert_eq!(
            (reply.status, &reply.body["error"]["status"]),
            (status, &code),
            "{method} {path}"
        );
    }
}

#[tokio::test]
async fn enum_values_are_names_or_numbers_as_asked() {
    let server = server().await;
    call(server, "POST", &format!("{RINGS}?keyRingId=r"), TOKEN, &json!({})).await;
    let key = json!({"purpose": 5, "versionTemplate": {"algorithm": "EC_SIGN_ED25519"}});
    let made =
        call(server, "POST", &format!("{RINGS}/r/cryptoKeys?cryptoKeyId=k"), TOKEN, &key).await;
    assert_eq!((made.status, &made.body["purpose"]), (200, &json!("ASYMMETRIC_SIGN")));
    let again =
        call(server, "POST", &format!("{RINGS}/r/cryptoKeys?cryptoKeyId=k"), TOKEN, &key).await;
    assert_eq!((again.status, &again.body["error"]["status"]), (409, &json!("ALREADY_EXISTS")));
    for query in ["%24alt=json%3Benum-encoding%3Dint", "$alt=json;enum-encoding=int"] {
        let read =
            call(server, "GET", &format!("{RINGS}/r/cryptoKeys/k?{query}"), TOKEN, &json!({}))
                .await;
        assert_eq!(read.body["versionTemplate"]["algorithm"], json!(40), "{query}");
    }
}

#[tokio::test]
async fn an_outage_lasts_as_long_as_it_is_told_to() {
    let server = server().await;
    let plan = json!({"status": 429, "count": 2, "retryAfterSeconds": 7});
    assert_eq!(call(server, "POST", "/_fake/outage", TOKEN, &plan).await.status, 200);
    for _ in 0..2 {
        let reply = call(server, "GET", RINGS, TOKEN, &json!({})).await;
        assert_eq!(
            (reply.status, &reply.body["error"]["status"]),
            (429, &json!("RESOURCE_EXHAUSTED"))
        );
        assert_eq!(reply.body["error"]["details"][1]["retryDelay"], json!("7s"));
        assert!(reply.head.contains("retry-after: 7"), "{}", reply.head);
    }
    assert_eq!(call(server, "GET", RINGS, TOKEN, &json!({})).await.status, 200);

    call(server, "POST", "/_fake/outage", TOKEN, &json!({"status": 503})).await;
    for _ in 0..3 {
        let reply = call(server, "GET", RINGS, TOKEN, &json!({})).await;
        assert_eq!((reply.status, &reply.body["error"]["status"]), (503, &json!("UNAVAILABLE")));
    }
    call(server, "DELETE", "/_fake/outage", TOKEN, &json!({})).await;
    assert_eq!(call(server, "GET", RINGS, TOKEN, &json!({})).await.status, 200);
    assert_eq!(
        call(server, "POST", "/_fake/outage", TOKEN, &json!({"status": 200})).await.status,
        400
    );
}

/// <https://cloud.google.com/kms/docs/reference/rest/v1/projects.locations.keyRings.cryptoKeys/testIamPermissions>.
#[tokio::test]
async fn everybody_may_ask_what_they_may_do_and_a_signer_may_do_little() {
    let server = server().await;
    let ring = format!("{RINGS}?keyRingId=r");
    assert_eq!(call(server, "POST", &ring, TOKEN, &json!({})).await.status, 200);
    let key =
        json!({"purpose": "ASYMMETRIC_SIGN", "versionTemplate": {"algorithm": "EC_SIGN_ED25519"}});
    let make = format!("{RINGS}/r/cryptoKeys?cryptoKeyId=k");
    assert_eq!(call(server, "POST", &make, SIGNER, &key).await.status, 403);
    assert_eq!(call(server, "POST", &make, TOKEN, &key).await.status, 200);
    let path = format!("{RINGS}/r/cryptoKeys/k/cryptoKeyVersions/1");
    assert_eq!(call(server, "GET", &path, SIGNER, &json!({})).await.status, 403);

    let (sign, destroy) =
        ("cloudkms.cryptoKeyVersions.useToSign", "cloudkms.cryptoKeyVersions.destroy");
    let asked = json!({"permissions": [sign, destroy]});
    for (key, token, granted) in [
        ("k", TOKEN, json!([sign, destroy])),
        ("k", SIGNER, json!([sign])),
        ("none", TOKEN, Value::Null),
    ] {
        let path = format!("{RINGS}/r/cryptoKeys/{key}:testIamPermissions");
        let reply = call(server, "POST", &path, token, &asked).await;
        assert_eq!((reply.status, &reply.body["permissions"]), (200, &granted), "{key} {token}");
    }
    let path = format!("{RINGS}/r/cryptoKeys/k:testIamPermissions");
    for wrong in
        [json!({}), json!({"permissions": ["cloudkms.*"]}), json!({"permissions": ["x.y"]})]
    {
        assert_eq!(call(server, "POST", &path, TOKEN, &wrong).await.status, 400, "{wrong}");
    }
}
