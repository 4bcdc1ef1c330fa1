//! Outages on request.

use serde_json::{Value, json};

use crate::vault::Vault;

#[tokio::test]
async fn an_outage_lasts_as_long_as_it_is_told_to_and_spares_the_challenge() {
    let vault = Vault::start().await;
    let plan = json!({"status": 429, "count": 2, "retryAfterSeconds": 7});
    assert_eq!(vault.request("POST", "/_fake/outage", None, &plan).await.status, 401);
    assert_eq!(vault.outage("POST", plan).await.status, 200);
    let unauthenticated = vault.request("GET", "/keys?api-version=7.4", None, &Value::Null).await;
    assert_eq!(unauthenticated.status, 401);
    for _ in 0..2 {
        let reply = vault.call("GET", "/keys", Value::Null).await;
        assert_eq!(reply.refusal(), (429, "Throttled", None));
        assert!(reply.head.contains("retry-after: 7"), "{}", reply.head);
    }
    assert_eq!(vault.call("GET", "/keys", Value::Null).await.status, 200);

    vault.outage("POST", json!({"status": 503})).await;
    for _ in 0..3 {
        let reply = vault.call("GET", "/keys", Value::Null).await;
        assert_eq!((reply.status, reply.head.contains("retry-after")), (503, false));
    }
    vault.outage("DELETE", Value::Null).await;
    assert_eq!(vault.call("GET", "/keys", Value::Null).await.status, 200);
    assert_eq!(
        vault.outage("POST", json!({"status": 200})).await.refusal(),
        (400, "BadParameter", None)
    );
    assert_eq!(vault.outage("GET", Value::Null).await.refusal(), (400, "BadParameter", None));
}
