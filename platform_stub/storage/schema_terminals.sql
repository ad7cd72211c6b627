-- What terminals say of themselves and what they are asked, one row each. Instants are milliseconds since 1970.

-- state: 0 online, 1 offline, 2 lost. at_ms: when that was last said of being online or offline; lost_at_ms: by the last
-- will that counted, and since_ms: from when on a will counts. report: JSON as the terminal gave it.
CREATE TABLE IF NOT EXISTS statuses (
    terminal       TEXT PRIMARY KEY,
    state          INTEGER NOT NULL,
    at_ms          INTEGER NOT NULL,
    since_ms       INTEGER NOT NULL,
    lost_at_ms     INTEGER NOT NULL,
    received_at_ms INTEGER NOT NULL,
    carrier        TEXT NOT NULL,
    software       TEXT NOT NULL,
    report         TEXT NOT NULL
) STRICT;

-- How a terminal's last hello came.
CREATE TABLE IF NOT EXISTS carriers (
    terminal TEXT PRIMARY KEY,
    carrier  TEXT NOT NULL,
    at_ms    INTEGER NOT NULL
) STRICT;

-- outcome: 0 done, 1 failed, 2 over, 3 unknown; null until answered.
CREATE TABLE IF NOT EXISTS commands (
    command_id        BLOB PRIMARY KEY,
    terminal          TEXT NOT NULL,
    kind              TEXT NOT NULL,
    issued_at_ms      INTEGER NOT NULL,
    over_at_ms        INTEGER NOT NULL,
    signed            BLOB NOT NULL,
    handed_out_at_ms  INTEGER,
    outcome           INTEGER,
    said              TEXT,
    answered_at_ms    INTEGER,
    answer_came_at_ms INTEGER
) STRICT;
CREATE INDEX IF NOT EXISTS commands_of_terminal ON commands (terminal, over_at_ms);
