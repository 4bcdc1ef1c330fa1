//! `SqliteClaims`: which deliveries a receiver has handled.

use std::{fmt, path::Path, time::Duration};

use adcp_signing_core::UnixSeconds;
use adcp_signing_http::webhook::{
    Claim, ClaimError, DedupStore, DeliveryName, Fence, Fingerprint, Retention,
};
use async_trait::async_trait;
use rusqlite::{OptionalExtension as _, Transaction, params};
use sha2::{Digest as _, Sha256};

use crate::database::{Database, OpenError};

/// How many deliveries of one sender are remembered.
const PER_SENDER: u64 = 1_000_000;
/// How many forgotten deliveries one claim removes: more than it can add.
const SWEEP: i64 = 16;

/// Claims in a SQLite file. It remembers up to a million deliveries of one sender, and refuses more:
/// forgetting one early would have it handled twice.
#[derive(Clone)]
pub struct SqliteClaims {
    database: Database,
    per_sender: u64,
}

impl SqliteClaims {
    /// Opens the file, and makes it where there is none. A
    /// [`SqliteDeliveries`](crate::SqliteDeliveries) may be in the same file. It waits for the disk,
    /// so call it before the server starts.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        Ok(Self { database: Database::open(path.as_ref())?, per_sender: PER_SENDER })
    }

    /// Remembers up to this many deliveries of one sender, in place of a million.
    #[must_use]
    pub fn per_sender(mut self, deliveries: u64) -> Self {
        self.per_sender = deliveries;
        self
    }

    /// Ends a claim, where it still is this one.
    async fn end(
        &self,
        name: DeliveryName<'_>,
        fence: Fence,
        completed: bool,
    ) -> Result<(), ClaimError> {
        let name = name.digest();
        let end = move |transaction: &Transaction<'_>| {
            transaction.execute(
                "UPDATE claims SET completed = ?1, claimed_until = 0
                 WHERE name = ?2 AND fence = ?3 AND completed = 0",
                params![completed, name, fence.0.cast_signed()],
            )
        };
        self.database.write(end).await.map(drop).map_err(ClaimError::new)
    }
}

impl fmt::Debug for SqliteClaims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteClaims").field("per_sender", &self.per_sender).finish_non_exhaustive()
    }
}

#[async_trait]
impl DedupStore for SqliteClaims {
    async fn claim(
        &self,
        name: DeliveryName<'_>,
        fingerprint: Fingerprint,
        now: UnixSeconds,
        retention: Retention,
    ) -> Result<Claim, ClaimError> {
        let wanted = Wanted {
            name: name.digest(),
            sender: Sha256::digest(name.sender()).into(),
            fingerprint,
            now: now.as_i64(),
            claimed_until: after(now, retention.claim()),
            expires_at: after(now, retention.keep()),
            per_sender: self.per_sender,
        };
        let claim = move |transaction: &Transaction<'_>| wanted.claim(transaction);
        self.database.write(claim).await.map_err(ClaimError::new)
    }

    async fn complete(&self, name: DeliveryName<'_>, fence: Fence) -> Result<(), ClaimError> {
        self.end(name, fence, true).await
    }

    async fn release(&self, name: DeliveryName<'_>, fence: Fence) -> Result<(), ClaimError> {
        self.end(name, fence, false).await
    }
}

/// A claim that is asked for.
struct Wanted {
    name: [u8; 32],
    sender: [u8; 32],
    fingerprint: Fingerprint,
    now: i64,
    claimed_until: i64,
    expires_at: i64,
    per_sender: u64,
}

impl Wanted {
    fn claim(&self, transaction: &Transaction<'_>) -> rusqlite::Result<Claim> {
        // This name first, so that an old binding does not outlive its time.
        transaction.execute(
            "DELETE FROM claims WHERE name = ?1 AND expires_at <= ?2",
            params![self.name, self.now],
        )?;
        transaction.execute(
            "DELETE FROM claims WHERE name IN
                 (SELECT name FROM claims WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2)",
            params![self.now, SWEEP],
        )?;
        let known = transaction
            .query_row(
                "SELECT fingerprint, completed, claimed_until FROM claims WHERE name = ?1",
                [self.name],
                |row| Ok((row.get::<_, [u8; 32]>(0)?, row.get::<_, bool>(1)?, row.get(2)?)),
            )
            .optional()?;
        match known {
            Some((bound, _, _)) if bound != *self.fingerprint.as_bytes() => Ok(Claim::Conflict),
            Some((_, true, _)) => Ok(Claim::Completed),
            Some((_, _, claimed_until)) if self.now < claimed_until => Ok(Claim::Running),
            None if self.is_full(transaction)? => Ok(Claim::Full),
            _ => self.take(transaction),
        }
    }

    /// Takes the claim. The binding of a known delivery stays for as long as it had.
    fn take(&self, transaction: &Transaction<'_>) -> rusqlite::Result<Claim> {
        let fence: i64 = transaction.query_row(
            "INSERT INTO claims
                 (name, sender, fingerprint, fence, completed, claimed_until, expires_at)
             VALUES (?1, ?2, ?3, random(), 0, ?4, ?5)
             ON CONFLICT (name) DO UPDATE
                 SET fence = excluded.fence, claimed_until = excluded.claimed_until
             RETURNING fence",
            params![
                self.name,
                self.sender,
                *self.fingerprint.as_bytes(),
                self.claimed_until,
                self.expires_at
            ],
            |row| row.get(0),
        )?;
        Ok(Claim::Yours(Fence(fence.cast_unsigned())))
    }

    fn is_full(&self, transaction: &Transaction<'_>) -> rusqlite::Result<bool> {
        let kept = transaction
            .query_row("SELECT kept FROM senders WHERE sender = ?1", [self.sender], |row| {
                row.get(0)
            })
            .optional()?;
        Ok(kept.unwrap_or(0) >= self.per_sender)
    }
}

fn after(now: UnixSeconds, duration: Duration) -> i64 {
    now.plus(i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)).as_i64()
}
