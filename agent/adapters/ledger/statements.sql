-- Every statement the ledger runs, by name; agent/adapters/ledger/sql.py reads this file.

-- name: begin
BEGIN IMMEDIATE

-- name: commit
COMMIT

-- name: rollback
ROLLBACK

-- name: insert_meta
INSERT INTO meta (key, value) VALUES (?, ?)

-- name: meta
SELECT value FROM meta WHERE key = ?

-- name: insert_record
INSERT INTO record (seq, kind, at_ms, hash, envelope) VALUES (?, ?, ?, ?, ?)

-- name: insert_replay
INSERT INTO replay (replay_id, seq, keep_until_ms) VALUES (?, ?, ?) ON CONFLICT DO NOTHING

-- name: insert_provisional
INSERT INTO provisional (seq) VALUES (?)

-- name: last_records
SELECT seq, envelope, hash FROM record ORDER BY seq DESC LIMIT 2

-- name: records_after
SELECT seq, envelope, hash FROM record WHERE seq > ? ORDER BY seq LIMIT ?

-- name: records_between
SELECT seq, envelope, hash FROM record WHERE seq BETWEEN ? AND ? ORDER BY seq

-- name: head_seq
SELECT coalesce(max(seq), 0) FROM record

-- name: hash_at
SELECT hash FROM record WHERE seq = ?

-- name: cursor
SELECT seq FROM cursor WHERE uplink = ?

-- name: cursors
SELECT uplink, seq FROM cursor ORDER BY uplink

-- name: put_cursor
INSERT INTO cursor (uplink, seq) VALUES (?, ?) ON CONFLICT DO UPDATE SET seq = excluded.seq

-- name: park
INSERT INTO parked (uplink, seq, reason, at_ms)
VALUES (:uplink, :seq, :reason, (SELECT at_ms FROM record WHERE seq = :seq))
ON CONFLICT DO UPDATE SET reason = excluded.reason

-- name: parked
SELECT uplink, seq, reason, at_ms FROM parked ORDER BY uplink, seq

-- name: resend
SELECT record.seq, envelope, hash FROM resend JOIN record USING (seq)
WHERE uplink = ? ORDER BY record.seq LIMIT ?

-- name: resend_waiting
SELECT uplink, count(*) FROM resend GROUP BY uplink

-- name: ask_resend
INSERT INTO resend (uplink, seq) VALUES (?, ?) ON CONFLICT DO NOTHING

-- name: unpark
DELETE FROM parked WHERE uplink = ? AND seq = ?

-- name: unpark_between
DELETE FROM parked
WHERE uplink = :uplink AND seq > coalesce((SELECT seq FROM cursor WHERE uplink = :uplink), 0) AND seq <= :cursor

-- name: resent
DELETE FROM resend WHERE uplink = ? AND seq = ?

-- name: replays
SELECT replay_id, keep_until_ms FROM replay

-- name: provisional_behind
SELECT seq FROM provisional WHERE seq > ? ORDER BY seq

-- name: settle_provisional
DELETE FROM provisional WHERE seq <= ?

-- name: state
SELECT value FROM state WHERE key = ?

-- name: states
SELECT key, value FROM state

-- name: put_state
INSERT INTO state (key, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value

-- name: adopt_state
INSERT INTO state (key, value) VALUES (?, ?) ON CONFLICT DO NOTHING

-- name: delivered_dated
SELECT seq, at_ms FROM record WHERE seq <= ? AND at_ms IS NOT NULL
AND seq NOT IN (SELECT seq FROM parked) AND seq NOT IN (SELECT seq FROM resend) ORDER BY seq LIMIT ?

-- name: delivered_prefix
SELECT seq FROM record WHERE seq <= ?
AND seq NOT IN (SELECT seq FROM parked) AND seq NOT IN (SELECT seq FROM resend) ORDER BY seq LIMIT ?

-- name: delete_record
DELETE FROM record WHERE seq = ?

-- name: put_pruned_seq
INSERT INTO meta (key, value) VALUES ('pruned_seq', ?) ON CONFLICT DO UPDATE SET value = max(value, excluded.value)

-- name: expired_replays
DELETE FROM replay WHERE replay_id IN (SELECT replay_id FROM replay WHERE keep_until_ms < ? LIMIT ?)

-- name: salvage_record
INSERT INTO salvaged (source, seq, hash, envelope) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING

-- name: salvaged_waiting
SELECT salvaged.source, salvaged.seq, envelope, hash, is_resend IS NOT NULL FROM salvaged
LEFT JOIN salvaged_cursor AS settled ON settled.uplink = :uplink AND settled.source = salvaged.source
LEFT JOIN salvaged_parked AS again
ON again.uplink = :uplink AND again.source = salvaged.source AND again.seq = salvaged.seq AND is_resend
WHERE salvaged.seq > coalesce(settled.seq, 0) OR is_resend IS NOT NULL
ORDER BY salvaged.source, salvaged.seq LIMIT :records_max

-- name: salvaged_cursors
SELECT uplink, source, seq FROM salvaged_cursor

-- name: salvaged_cursors_of
SELECT uplink, seq FROM salvaged_cursor WHERE source = ?

-- name: put_salvaged_cursor
INSERT INTO salvaged_cursor (uplink, source, seq) VALUES (?, ?, ?)
ON CONFLICT DO UPDATE SET seq = max(seq, excluded.seq)

-- name: salvaged_parked
SELECT uplink, source, seq, reason, is_resend FROM salvaged_parked ORDER BY uplink, source, seq

-- name: salvaged_parked_of
SELECT DISTINCT seq FROM salvaged_parked WHERE source = ? ORDER BY seq

-- name: put_salvaged_parked
INSERT INTO salvaged_parked (uplink, source, seq, reason, is_resend) VALUES (?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET reason = excluded.reason, is_resend = excluded.is_resend

-- name: adopt_salvaged_parked
INSERT INTO salvaged_parked (uplink, source, seq, reason, is_resend) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING

-- name: salvaged_answered
DELETE FROM salvaged_parked WHERE uplink = ? AND source = ? AND seq BETWEEN ? AND ?

-- name: delete_salvaged
DELETE FROM salvaged WHERE source = :source AND seq BETWEEN :first AND :last AND seq <= :settled
AND seq NOT IN (SELECT seq FROM salvaged_parked WHERE source = :source)

-- name: salvaged_counts
SELECT source, count(*) FROM salvaged
WHERE NOT EXISTS (SELECT 1 FROM salvaged_parked AS parked
    WHERE parked.source = salvaged.source AND parked.seq = salvaged.seq AND NOT is_resend)
GROUP BY source ORDER BY source

-- name: salvaged_after
SELECT source, seq, envelope, hash FROM salvaged WHERE (source, seq) > (?, ?) ORDER BY source, seq LIMIT ?

-- name: resends
SELECT uplink, seq FROM resend

-- name: oldest_pending
SELECT seq, at_ms FROM record WHERE seq > ? ORDER BY seq LIMIT 1

-- name: is_empty_file
SELECT count(*) = 0 FROM sqlite_schema

-- name: page_count
PRAGMA page_count

-- name: freelist_count
PRAGMA freelist_count

-- name: quick_check
PRAGMA quick_check(1)

-- name: give_pages_back
PRAGMA incremental_vacuum(500)
