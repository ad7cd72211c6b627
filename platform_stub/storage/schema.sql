-- What the platform keeps, in the portable SQL of dialect.py. Ids, hashes and envelopes are blobs; instants are milliseconds since 1970.
-- records keeps everything authentic, both sides of a contradiction too: (terminal, ledger_id, seq) may occur twice.

CREATE TABLE IF NOT EXISTS terminals (
    terminal         TEXT PRIMARY KEY,
    site             TEXT NOT NULL,
    kid              BLOB NOT NULL,
    alg              TEXT NOT NULL,
    spki             BLOB NOT NULL,
    registered_at_ms INTEGER NOT NULL,
    last_seen_at_ms  INTEGER,
    software         TEXT
) STRICT;

-- head: the end of the prefix held without a hole. max_seq: the highest seq held. known: the highest head signed.
CREATE TABLE IF NOT EXISTS ledgers (
    terminal        TEXT NOT NULL,
    ledger_id       BLOB NOT NULL,
    head_seq        INTEGER NOT NULL,
    head_hash       BLOB NOT NULL,
    max_seq         INTEGER NOT NULL,
    known_seq       INTEGER NOT NULL,
    known_hash      BLOB NOT NULL,
    first_at_ms     INTEGER NOT NULL,
    last_at_ms      INTEGER NOT NULL,
    PRIMARY KEY (terminal, ledger_id)
) STRICT, WITHOUT ROWID;

-- status: 0 accepted, 2 conflict, 3 rejected (its fields are null then); forked: off the line that came first.
CREATE TABLE IF NOT EXISTS records (
    id             INTEGER PRIMARY KEY,
    terminal       TEXT NOT NULL,
    ledger_id      BLOB NOT NULL,
    seq            INTEGER NOT NULL,
    hash           BLOB NOT NULL,
    prev           BLOB,
    kind           INTEGER,
    step           TEXT,
    answer         INTEGER,
    reason         TEXT,
    verdict        INTEGER,
    verdict_reason TEXT,
    family         TEXT,
    code_type      INTEGER,
    issuer         TEXT,
    replay_id      BLOB,
    scanner        TEXT,
    key_epoch      BLOB,
    status         INTEGER NOT NULL,
    status_reason  TEXT NOT NULL,
    forked         INTEGER NOT NULL,
    envelope       BLOB NOT NULL,
    received_at_ms INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS records_identity ON records (terminal, ledger_id, seq, hash);
CREATE INDEX IF NOT EXISTS records_replay_id ON records (replay_id) WHERE replay_id IS NOT NULL;
-- However many workers there are, and however they race: one acceptance a code.
CREATE UNIQUE INDEX IF NOT EXISTS records_code_used_once ON records (replay_id) WHERE replay_id IS NOT NULL AND kind = 0 AND status = 0;
CREATE INDEX IF NOT EXISTS records_data_key ON records (terminal, ledger_id, key_epoch) WHERE kind = 6;

CREATE TABLE IF NOT EXISTS forks (
    id          INTEGER PRIMARY KEY,
    terminal    TEXT NOT NULL,
    ledger_id   BLOB NOT NULL,
    seq         INTEGER NOT NULL,
    held_hash   BLOB NOT NULL,
    other_hash  BLOB NOT NULL,
    found_at_ms INTEGER NOT NULL,
    UNIQUE (terminal, ledger_id, seq, held_hash, other_hash)
) STRICT;

-- kind: ledger.fork, ledger.chain-broken, ledger.restored, platform.behind, replay.used-elsewhere. Where no other record
-- is concerned its columns are empty. The same alert is kept once.
CREATE TABLE IF NOT EXISTS alerts (
    id              INTEGER PRIMARY KEY,
    kind            TEXT NOT NULL,
    terminal        TEXT NOT NULL,
    ledger_id       BLOB NOT NULL,
    seq             INTEGER NOT NULL,
    hash            BLOB NOT NULL,
    other_terminal  TEXT NOT NULL,
    other_ledger_id BLOB NOT NULL,
    other_seq       INTEGER NOT NULL,
    other_hash      BLOB NOT NULL,
    raised_at_ms    INTEGER NOT NULL,
    UNIQUE (kind, terminal, ledger_id, seq, hash, other_terminal, other_ledger_id, other_seq, other_hash)
) STRICT;
