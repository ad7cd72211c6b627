-- The ledger of one terminal, version 1 (docs/ledger.md). STRICT: a wrong type is an error, never a conversion.
-- Blobs come last in a row, so that numbers are read without following overflow pages.

CREATE TABLE meta (
    key TEXT PRIMARY KEY,            -- 'ledger_id', 'terminal'; 'pruned_seq' once anything was
    value ANY NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE record (
    seq INTEGER PRIMARY KEY,         -- from 1, no holes
    kind INTEGER NOT NULL,           -- record.cddl, 5
    at_ms INTEGER,                   -- the latest instant at which it can have been written; NULL while unbounded
    hash BLOB NOT NULL,              -- h(seq)
    envelope BLOB NOT NULL           -- the COSE_Sign1 as it is sent
) STRICT;

-- One-time codes used up here, in the same commit as the record that used them.
CREATE TABLE replay (
    replay_id BLOB PRIMARY KEY,
    seq INTEGER NOT NULL,            -- 0: taken over from a ledger that was set aside
    keep_until_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Provisional acceptances that no platform has acknowledged: they count against the offline limits.
CREATE TABLE provisional (
    seq INTEGER PRIMARY KEY
) STRICT;

CREATE TABLE cursor (
    uplink TEXT PRIMARY KEY,
    seq INTEGER NOT NULL             -- the last seq settled with that platform
) STRICT, WITHOUT ROWID;

-- What a platform rejected: behind the cursor, and not delivered.
CREATE TABLE parked (
    uplink TEXT NOT NULL,
    seq INTEGER NOT NULL,
    reason TEXT NOT NULL,
    at_ms INTEGER,                   -- the record's at_ms
    PRIMARY KEY (uplink, seq)
) STRICT, WITHOUT ROWID;

-- Parked records that a person wants sent again. Another process writes only here, parked, salvaged_parked.
CREATE TABLE resend (
    uplink TEXT NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (uplink, seq)
) STRICT, WITHOUT ROWID;

-- What other parts of the agent must find again after a power cut: floors of versions, marks of time.
CREATE TABLE state (
    key TEXT PRIMARY KEY,
    value ANY NOT NULL
) STRICT, WITHOUT ROWID;

-- Undelivered records of ledgers that were set aside (damaged, or overtaken by the platform). They keep their ledger id
-- and are deleted once every platform has settled them: the file set aside still has them.
CREATE TABLE salvaged (
    source TEXT NOT NULL,            -- the name of the file that was set aside
    seq INTEGER NOT NULL,
    hash BLOB NOT NULL,
    envelope BLOB NOT NULL,
    PRIMARY KEY (source, seq)
) STRICT;

CREATE TABLE salvaged_cursor (
    uplink TEXT NOT NULL,
    source TEXT NOT NULL,
    seq INTEGER NOT NULL,            -- the last seq of that file settled with that platform
    PRIMARY KEY (uplink, source)
) STRICT, WITHOUT ROWID;

-- What a platform rejected of them: behind its cursor, and not delivered.
CREATE TABLE salvaged_parked (
    uplink TEXT NOT NULL,
    source TEXT NOT NULL,
    seq INTEGER NOT NULL,
    reason TEXT NOT NULL,
    is_resend INTEGER NOT NULL,      -- 1: a person wants it sent again; written by `scanward queue retry` too
    PRIMARY KEY (uplink, source, seq)
) STRICT, WITHOUT ROWID;
