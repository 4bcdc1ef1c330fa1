//! `SqliteDeliveries`: where the deliveries of a sender wait.

use std::{fmt, path::Path};

use adcp_signing_core::UnixSeconds;
use adcp_signing_http::webhook::{
    Delivery, DeliveryStore, Payload, Recipient, RegistrationId, StoreFailure, WebhookTarget,
};
use async_trait::async_trait;
use rusqlite::{OptionalExtension as _, Row, Transaction, params};

use crate::database::{Database, Failure, OpenError};

/// Deliveries in a SQLite file.
///
/// Delivery is at least once: a process that dies between the receiver's answer and the removal of
/// the delivery leaves it to be sent again. As long as a claim lasts, one process alone sends.
#[derive(Clone)]
pub struct SqliteDeliveries(Database);

impl SqliteDeliveries {
    /// Opens the file, and makes it where there is none. A [`SqliteClaims`](crate::SqliteClaims) may
    /// be in the same file. It waits for the disk, so call it before the server starts.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        Ok(Self(Database::open(path.as_ref())?))
    }

    /// How many deliveries wait or are under way: to watch a backlog.
    ///
    /// # Errors
    /// [`StoreFailure`].
    pub async fn count(&self) -> Result<u64, StoreFailure> {
        let count = |connection: &rusqlite::Connection| {
            connection.query_row("SELECT count(*) FROM deliveries", [], |row| row.get(0))
        };
        self.0.read(count).await.map_err(StoreFailure::new)
    }
}

impl fmt::Debug for SqliteDeliveries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SqliteDeliveries")
    }
}

#[async_trait]
impl DeliveryStore for SqliteDeliveries {
    async fn add(&self, delivery: &Delivery) -> Result<(), StoreFailure> {
        let delivery = delivery.clone();
        let add = move |transaction: &Transaction<'_>| {
            let (target, registration) = match delivery.recipient() {
                Recipient::Target(target) => (Some(target.as_str()), None),
                Recipient::Registration(id) => (None, Some(id.as_str())),
            };
            transaction.execute(
                "INSERT INTO deliveries
                     (id, target, registration, payload, enqueued_at, attempts, due)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
                 ON CONFLICT (id) DO NOTHING",
                params![
                    delivery.id().as_str(),
                    target,
                    registration,
                    &**delivery.payload().bytes(),
                    delivery.enqueued_at().as_i64(),
                    delivery.attempts(),
                    delivery.due().as_i64(),
                ],
            )
        };
        self.0.write(add).await.map(drop).map_err(StoreFailure::new)
    }

    async fn claim_due(
        &self,
        now: UnixSeconds,
        until: UnixSeconds,
        limit: usize,
    ) -> Result<Vec<Delivery>, StoreFailure> {
        let is_due = move |connection: &rusqlite::Connection| {
            let any = "SELECT 1 FROM deliveries WHERE due <= ?1 LIMIT 1";
            connection.query_row(any, [now.as_i64()], |_| Ok(())).optional()
        };
        // Senders ask each second: do not make them wait for each other where nothing is due.
        if self.0.read(is_due).await.map_err(StoreFailure::new)?.is_none() {
            return Ok(Vec::new());
        }
        let claim = move |transaction: &Transaction<'_>| {
            let mut due = transaction.prepare(
                "SELECT id, target, registration, payload, enqueued_at, attempts, due
                 FROM deliveries WHERE due <= ?1 ORDER BY due, id LIMIT ?2",
            )?;
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let rows = due.query_map([now.as_i64(), limit], Stored::read)?;
            let rows = rows.collect::<rusqlite::Result<Vec<_>>>()?;
            for row in &rows {
                let claim = "UPDATE deliveries SET due = ?1 WHERE id = ?2";
                transaction.execute(claim, params![until.as_i64(), row.id])?;
            }
            Ok(rows)
        };
        let rows = self.0.write(claim).await.map_err(StoreFailure::new)?;
        Ok(rows.into_iter().filter_map(|row| row.claimed(until)).collect())
    }

    async fn put_back(&self, claimed: &Delivery, due: UnixSeconds) -> Result<(), StoreFailure> {
        let (id, claim) = (claimed.id().clone(), claimed.due().as_i64());
        let put_back = move |transaction: &Transaction<'_>| {
            transaction.execute(
                "UPDATE deliveries SET attempts = attempts + 1, due = ?1 WHERE id = ?2 AND due = ?3",
                params![due.as_i64(), id.as_str(), claim],
            )
        };
        self.0.write(put_back).await.map(drop).map_err(StoreFailure::new)
    }

    async fn done(&self, claimed: &Delivery) -> Result<(), StoreFailure> {
        let (id, claim) = (claimed.id().clone(), claimed.due().as_i64());
        let done = move |transaction: &Transaction<'_>| {
            let remove = "DELETE FROM deliveries WHERE id = ?1 AND due = ?2";
            transaction.execute(remove, params![id.as_str(), claim])
        };
        self.0.write(done).await.map(drop).map_err(StoreFailure::new)
    }
}

/// A row, as it is stored.
struct Stored {
    id: String,
    target: Option<String>,
    registration: Option<String>,
    payload: Vec<u8>,
    enqueued_at: i64,
    attempts: u32,
}

impl Stored {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get("id")?,
            target: row.get("target")?,
            registration: row.get("registration")?,
            payload: row.get("payload")?,
            enqueued_at: row.get("enqueued_at")?,
            attempts: row.get("attempts")?,
        })
    }

    /// The delivery. A row that somebody damaged holds up no other: it stays, and is reported each
    /// time its claim ends.
    fn claimed(self, until: UnixSeconds) -> Option<Delivery> {
        let id = self.id.clone();
        match self.restore(until) {
            Ok(delivery) if delivery.id().as_str() == id => return Some(delivery),
            Ok(_) => tracing::error!(target: LOG, id, "a stored webhook has another id"),
            Err(error) => {
                tracing::error!(target: LOG, id, %error, "a stored webhook cannot be read");
            }
        }
        None
    }

    fn restore(self, until: UnixSeconds) -> Result<Delivery, Failure> {
        let recipient = match (self.target, self.registration) {
            (Some(target), None) => Recipient::Target(WebhookTarget::restore(&target)?),
            (None, Some(id)) => Recipient::Registration(RegistrationId::new(id)),
            _ => return Err("it has not one recipient".into()),
        };
        let payload = Payload::from_bytes(self.payload)?;
        let enqueued_at = UnixSeconds::new(self.enqueued_at);
        Ok(Delivery::restore(recipient, payload, enqueued_at, self.attempts, until))
    }
}

const LOG: &str = "adcp_signing::webhook";
