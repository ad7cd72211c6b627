"""Every SQL statement about records, in the portable SQL of dialect.py. The tables are in schema.sql.

Only statements_sqlite.py and statements_postgresql.py hold what one database alone understands.
"""

SCHEMA_TABLE = """
CREATE TABLE IF NOT EXISTS schema_held (name TEXT PRIMARY KEY, version INTEGER NOT NULL, digest TEXT NOT NULL)
"""
SCHEMA_HELD = "SELECT version, digest FROM schema_held WHERE name = 'platform'"
SCHEMA_NOTED = """
INSERT INTO schema_held (name, version, digest) VALUES ('platform', ?, ?)
ON CONFLICT (name) DO UPDATE SET version = excluded.version, digest = excluded.digest
"""

UPSERT_TERMINAL = """
INSERT INTO terminals (terminal, site, kid, alg, spki, registered_at_ms) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (terminal) DO UPDATE SET site = excluded.site, kid = excluded.kid, alg = excluded.alg, spki = excluded.spki
"""
SEEN_TERMINAL = "UPDATE terminals SET last_seen_at_ms = ? WHERE terminal = ?"
SEEN_SOFTWARE = "UPDATE terminals SET last_seen_at_ms = ?, software = ? WHERE terminal = ?"

LEDGER = """
SELECT head_seq, head_hash, max_seq, known_seq, known_hash FROM ledgers WHERE terminal = ? AND ledger_id = ?
"""
UPSERT_LEDGER = """
INSERT INTO ledgers
    (terminal, ledger_id, head_seq, head_hash, max_seq, known_seq, known_hash, first_at_ms, last_at_ms)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8)
ON CONFLICT (terminal, ledger_id) DO UPDATE SET
    head_seq = excluded.head_seq, head_hash = excluded.head_hash, max_seq = excluded.max_seq,
    known_seq = excluded.known_seq, known_hash = excluded.known_hash, last_at_ms = excluded.last_at_ms
"""

HELD = """
SELECT id, seq, hash, prev, status, status_reason, forked FROM records
WHERE terminal = ? AND ledger_id = ? AND seq BETWEEN ? AND ?
"""
HASH_AT = "SELECT hash FROM records WHERE terminal = ? AND ledger_id = ? AND seq = ? AND forked = 0"
BEHIND_HEAD = """
SELECT seq, hash, prev FROM records
WHERE terminal = ? AND ledger_id = ? AND seq > ? AND forked = 0 ORDER BY seq LIMIT ?
"""
_RECORD_COLUMNS = (
    "terminal, ledger_id, seq, hash, prev, kind, step, answer, reason, verdict, verdict_reason, family, code_type, "
    "issuer, replay_id, scanner, key_epoch, status, status_reason, forked, envelope, received_at_ms"
)
INSERT_RECORD = (  # fewer rows than asked for: another worker has used a one-time code, or stored a record
    f"INSERT INTO records ({_RECORD_COLUMNS}) VALUES ({', '.join('?' * 22)}) ON CONFLICT DO NOTHING"  # noqa: S608 - constants only
)
REPLACE_RECORD = f"UPDATE records SET ({_RECORD_COLUMNS}) = ({', '.join('?' * 22)}) WHERE id = ?"  # noqa: S608 - constants only
INSERT_FORK = """
INSERT INTO forks (terminal, ledger_id, seq, held_hash, other_hash, found_at_ms) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT DO NOTHING
"""
INSERT_ALERT = """
INSERT INTO alerts
    (kind, terminal, ledger_id, seq, hash, other_terminal, other_ledger_id, other_seq, other_hash, raised_at_ms)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING
"""

# Runs of numbers missing behind the contiguous head: between held rows, and up to the highest signed head.
GAPS = """
WITH held AS (
    SELECT head_seq AS seq FROM ledgers WHERE terminal = ?1 AND ledger_id = ?2
    UNION SELECT r.seq FROM records r JOIN ledgers l USING (terminal, ledger_id)
          WHERE terminal = ?1 AND ledger_id = ?2 AND r.seq > l.head_seq
    UNION SELECT CASE WHEN known_seq < 9223372036854775807 THEN known_seq + 1 ELSE known_seq END
          FROM ledgers WHERE terminal = ?1 AND ledger_id = ?2
)
SELECT seq + 1 AS first, next - 1 AS last
FROM (SELECT seq, lead(seq) OVER (ORDER BY seq) AS next FROM held) AS pairs
WHERE next - seq > 1 ORDER BY seq LIMIT ?3
"""

LEDGERS_SHOWN = """
SELECT terminal, ledger_id, head_seq, max_seq, known_seq, last_at_ms FROM ledgers ORDER BY last_at_ms DESC LIMIT ?
"""
RECORDS_SHOWN = """
SELECT terminal, ledger_id, seq, kind, step, answer, reason, verdict, family, scanner, key_epoch, status, status_reason,
       envelope, received_at_ms
FROM records ORDER BY id DESC LIMIT ?
"""
ALERTS_SHOWN = """
SELECT kind, terminal, seq, other_terminal, other_seq, raised_at_ms FROM alerts ORDER BY id DESC LIMIT ?
"""
DATA_KEY = """
SELECT envelope FROM records
WHERE terminal = ? AND ledger_id = ? AND key_epoch = ? AND kind = 6 AND status = 0 LIMIT 1
"""

ATTEMPT = "SELECT code_hash, finding, reason, at_ms FROM attempts WHERE terminal = ? AND attempt_id = ?"
NOTE_ATTEMPT = """
INSERT INTO attempts (terminal, attempt_id, code_hash, finding, reason, at_ms) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (terminal, attempt_id) DO UPDATE SET
    finding = excluded.finding, reason = excluded.reason, at_ms = excluded.at_ms
"""
FORGET_ATTEMPTS = "DELETE FROM attempts WHERE at_ms < ?"
USE = """
INSERT INTO used_codes (code_hash, terminal, attempt_id, expires_at_ms) VALUES (?, ?, ?, ?)
ON CONFLICT (code_hash) DO NOTHING
"""
USED_BY = "SELECT terminal, attempt_id FROM used_codes WHERE code_hash = ?"
FORGET_USED = "DELETE FROM used_codes WHERE expires_at_ms < ?"


def uses_of(count: int) -> str:
    """Return the query for who used any of `count` replay ids; the first user of each comes last."""
    marks = ", ".join("?" * count)
    return (
        "SELECT replay_id, terminal, ledger_id, seq, hash FROM records "  # noqa: S608 - only question marks are put in
        f"WHERE replay_id IN ({marks}) AND kind = 0 AND status != 3 ORDER BY id DESC"
    )
