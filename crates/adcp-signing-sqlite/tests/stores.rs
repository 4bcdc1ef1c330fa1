//! The stores pass the suites, and what a file adds to them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::{
    path::{Path, PathBuf},
    thread,
};

use adcp_signing_core::UnixSeconds;
use adcp_signing_http::webhook::{
    Claim, DedupStore as _, Delivery, DeliveryName, DeliveryStore as _, Fingerprint,
    IdempotencyKey, Payload, Retention, WebhookTarget,
    conformance::{ClaimsUnderTest, DeliveriesUnderTest, check_claims, check_deliveries},
};
use adcp_signing_sqlite::{OpenError, SqliteClaims, SqliteDeliveries};
use async_trait::async_trait;
use rusqlite::Connection;
use tempfile::TempDir;

const NOW: UnixSeconds = UnixSeconds::new(1_776_520_800);

/// Files in one folder, a new one for each rule of a suite.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn next(&self) -> PathBuf {
        let count = std::fs::read_dir(self.0.path()).unwrap().count();
        self.0.path().join(format!("webhooks-{count}.sqlite"))
    }
}

#[async_trait]
impl DeliveriesUnderTest for Files {
    type Store = SqliteDeliveries;

    async fn empty(&self, handles: usize) -> Vec<SqliteDeliveries> {
        let path = self.next();
        (0..handles).map(|_| SqliteDeliveries::open(&path).unwrap()).collect()
    }
}

#[async_trait]
impl ClaimsUnderTest for Files {
    type Store = SqliteClaims;

    async fn empty(&self, handles: usize) -> Vec<SqliteClaims> {
        let path = self.next();
        (0..handles).map(|_| SqliteClaims::open(&path).unwrap()).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stores_pass_their_suites() {
    let files = Files::new();
    check_deliveries(&files).await.unwrap();
    check_claims(&files).await.unwrap();
}

fn delivery(number: u32) -> Delivery {
    let body = format!(r#"{{"idempotency_key":"whk_20260526_{number:06}"}}"#);
    let target: WebhookTarget = "https://buyer.example.com/hooks".parse().unwrap();
    Delivery::restore(target.into(), Payload::from_bytes(body).unwrap(), NOW, 0, NOW)
}

fn key_of(number: u32) -> IdempotencyKey {
    IdempotencyKey::try_from(format!("whk_20260526_{number:06}").as_str()).unwrap()
}

const PAYLOAD: Fingerprint = Fingerprint::restore([1; 32]);

async fn claim(store: &SqliteClaims, sender: &str, number: u32, now: UnixSeconds) -> Claim {
    let key = key_of(number);
    let name = DeliveryName::new(sender, &key);
    store.claim(name, PAYLOAD, now, Retention::default()).await.unwrap()
}

#[tokio::test]
async fn both_stores_fit_into_one_file_and_survive_its_closing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("webhooks.sqlite");
    {
        let deliveries = SqliteDeliveries::open(&path).unwrap();
        deliveries.add(&delivery(1)).await.unwrap();
        let claims = SqliteClaims::open(&path).unwrap();
        assert!(matches!(claim(&claims, "seller", 1, NOW).await, Claim::Yours(_)));
    }
    let deliveries = SqliteDeliveries::open(&path).unwrap();
    assert_eq!(deliveries.count().await.unwrap(), 1);
    assert_eq!(deliveries.claim_due(NOW, NOW.plus(90), 9).await.unwrap().len(), 1);
    let claims = SqliteClaims::open(&path).unwrap();
    assert_eq!(claim(&claims, "seller", 1, NOW).await, Claim::Running);
}

#[test]
fn many_processes_can_open_a_new_file_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("webhooks.sqlite");
    thread::scope(|scope| {
        let opened: Vec<_> =
            (0..16).map(|_| scope.spawn(|| SqliteDeliveries::open(&path).map(drop))).collect();
        for opened in opened {
            opened.join().unwrap().unwrap();
        }
    });
}

#[tokio::test]
async fn a_sender_that_has_its_share_is_refused_and_gets_room_when_its_deliveries_are_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("webhooks.sqlite");
    let claims = SqliteClaims::open(&path).unwrap().per_sender(2);
    for (number, sender, full) in
        [(1, "one", false), (2, "one", false), (3, "one", true), (3, "other", false)]
    {
        let answer = claim(&claims, sender, number, NOW).await;
        assert_eq!(answer == Claim::Full, full, "{number} {sender}: {answer:?}");
    }
    // What is known already needs no room.
    assert_eq!(claim(&claims, "one", 2, NOW).await, Claim::Running);
    let later = NOW.plus(7 * 86_400);
    assert!(matches!(claim(&claims, "one", 3, later).await, Claim::Yours(_)));
    let kept: i64 = Connection::open(&path)
        .unwrap()
        .query_row("SELECT count(*) FROM claims", [], |row| row.get(0))
        .unwrap();
    assert_eq!(kept, 1, "the expired claims are removed");
}

#[tokio::test]
async fn an_old_binding_ends_in_time_however_many_older_ones_wait_to_be_removed() {
    let folder = tempfile::tempdir().unwrap();
    let claims = SqliteClaims::open(folder.path().join("webhooks.sqlite")).unwrap();
    for number in 0..40 {
        assert!(matches!(claim(&claims, "one", number, NOW).await, Claim::Yours(_)));
    }
    assert!(matches!(claim(&claims, "one", 40, NOW.plus(1)).await, Claim::Yours(_)));
    let key = key_of(40);
    let name = DeliveryName::new("one", &key);
    let other_payload = Fingerprint::restore([2; 32]);
    let later = NOW.plus(7 * 86_400 + 1);
    let answer = claims.claim(name, other_payload, later, Retention::default()).await.unwrap();
    assert!(matches!(answer, Claim::Yours(_)), "{answer:?}");
}

#[tokio::test]
async fn a_damaged_row_holds_up_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("webhooks.sqlite");
    let deliveries = SqliteDeliveries::open(&path).unwrap();
    for number in 1..=4 {
        deliveries.add(&delivery(number)).await.unwrap();
    }
    let damage = |number, change: &str| {
        let id = delivery(number).id().clone();
        let change = format!("UPDATE deliveries SET {change} WHERE id = ?1");
        assert_eq!(Connection::open(&path).unwrap().execute(&change, [id.as_str()]), Ok(1));
    };
    damage(1, "payload = x'7b'");
    damage(2, "target = 'http://10.0.0.1/'");
    damage(3, "target = 'https://attacker.example.com/'");
    let claimed = deliveries.claim_due(NOW, NOW.plus(90), 9).await.unwrap();
    let ids: Vec<_> = claimed.iter().map(Delivery::id).collect();
    assert_eq!(ids, [delivery(4).id()]);
    assert_eq!(deliveries.count().await.unwrap(), 4);
}

#[test]
fn a_file_that_is_not_ours_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let open = |path: &Path| SqliteDeliveries::open(path).map(drop);
    std::fs::write(path("text"), "x".repeat(4096)).unwrap();
    assert!(matches!(open(&path("text")), Err(OpenError::Sqlite(_))));
    open(&path("later")).unwrap();
    Connection::open(path("later")).unwrap().pragma_update(None, "user_version", 2).unwrap();
    assert!(matches!(open(&path("later")), Err(OpenError::Schema { found: 2 })));
    assert!(matches!(open(&path("absent/folder")), Err(OpenError::File(_))));
}

#[test]
fn a_name_that_sqlite_gives_another_meaning_is_a_file() {
    let folder = tempfile::tempdir().unwrap();
    // The other tests name their files by absolute paths.
    std::env::set_current_dir(folder.path()).unwrap();
    for name in [":memory:", "file:webhooks?mode=memory"] {
        SqliteDeliveries::open(name).map(drop).unwrap();
        let length = std::fs::metadata(folder.path().join(name)).unwrap().len();
        assert!(length > 0, "{name}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn the_files_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let deliveries = SqliteDeliveries::open(folder.path().join("webhooks.sqlite")).unwrap();
    deliveries.add(&delivery(1)).await.unwrap();
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{entry:?}");
        names.push(entry.file_name());
    }
    assert_eq!(names.len(), 3, "the database, its log and its index: {names:?}");
}
