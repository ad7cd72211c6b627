"""Every SQL statement over schema_terminals.sql: status, carrier, commands. Plain enough for SQLite and PostgreSQL."""

STATUS = "SELECT state, at_ms, since_ms, lost_at_ms FROM statuses WHERE terminal = ?"
UPSERT_STATUS = """
INSERT INTO statuses (terminal, state, at_ms, since_ms, lost_at_ms, received_at_ms, carrier, software, report)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (terminal) DO UPDATE SET
    state = excluded.state, at_ms = excluded.at_ms, since_ms = excluded.since_ms, lost_at_ms = excluded.lost_at_ms,
    received_at_ms = excluded.received_at_ms, carrier = excluded.carrier, software = excluded.software,
    report = excluded.report
"""
LOST = "UPDATE statuses SET state = ?, lost_at_ms = ? WHERE terminal = ?"
UPSERT_CARRIER = """
INSERT INTO carriers (terminal, carrier, at_ms) VALUES (?, ?, ?)
ON CONFLICT (terminal) DO UPDATE SET carrier = excluded.carrier, at_ms = excluded.at_ms
"""

INSERT_COMMAND = """
INSERT INTO commands (command_id, terminal, kind, issued_at_ms, over_at_ms, signed) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (command_id) DO NOTHING
"""
COUNT_WAITING = "SELECT count(*) FROM commands WHERE terminal = ? AND over_at_ms >= ? AND outcome IS NULL"
WAITING = """
SELECT command_id, signed FROM commands WHERE terminal = ? AND over_at_ms >= ? AND outcome IS NULL
ORDER BY issued_at_ms, command_id LIMIT ?
"""
ALL_WAITING = """
SELECT terminal, signed FROM commands WHERE over_at_ms >= ? AND outcome IS NULL
ORDER BY issued_at_ms, command_id LIMIT ?
"""
HANDED_OUT = "UPDATE commands SET handed_out_at_ms = ? WHERE command_id = ?"
COMMAND_OF = "SELECT 1 FROM commands WHERE command_id = ? AND terminal = ?"
ANSWERED = """
UPDATE commands SET outcome = ?, said = ?, answered_at_ms = ?, answer_came_at_ms = ?
WHERE command_id = ? AND outcome IS NULL
"""

TERMINALS_SHOWN = """
SELECT t.terminal, t.site, t.software, t.last_seen_at_ms, c.carrier, s.state, s.received_at_ms, s.software, s.report,
       s.carrier
FROM terminals t LEFT JOIN carriers c ON c.terminal = t.terminal LEFT JOIN statuses s ON s.terminal = t.terminal
ORDER BY t.terminal LIMIT ?
"""
COMMANDS_SHOWN = """
SELECT command_id, terminal, kind, issued_at_ms, over_at_ms, handed_out_at_ms, outcome, said, answer_came_at_ms
FROM commands ORDER BY issued_at_ms DESC, command_id LIMIT ?
"""
