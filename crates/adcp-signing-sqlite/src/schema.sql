-- Times are seconds since 1970.

CREATE TABLE deliveries (
    id TEXT PRIMARY KEY,
    target TEXT,
    registration TEXT,
    payload BLOB NOT NULL,
    enqueued_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    -- When the next attempt may begin, or when the claim ends.
    due INTEGER NOT NULL,
    CHECK ((target IS NULL) <> (registration IS NULL))
) STRICT;

CREATE INDEX deliveries_by_due ON deliveries (due);

CREATE TABLE claims (
    -- A hash of the sender and the idempotency key.
    name BLOB PRIMARY KEY,
    -- A hash of the sender.
    sender BLOB NOT NULL,
    fingerprint BLOB NOT NULL,
    fence INTEGER NOT NULL,
    completed INTEGER NOT NULL,
    -- When the claim ends; 0 where it was released.
    claimed_until INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX claims_by_expiry ON claims (expires_at);

-- How many claims are kept for each sender.
CREATE TABLE senders (
    sender BLOB PRIMARY KEY,
    kept INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TRIGGER claim_added AFTER INSERT ON claims BEGIN
    INSERT INTO senders (sender, kept) VALUES (NEW.sender, 1)
    ON CONFLICT (sender) DO UPDATE SET kept = kept + 1;
END;

CREATE TRIGGER claim_forgotten AFTER DELETE ON claims BEGIN
    UPDATE senders SET kept = kept - 1 WHERE sender = OLD.sender;
    DELETE FROM senders WHERE sender = OLD.sender AND kept <= 0;
END;
