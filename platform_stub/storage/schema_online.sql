-- Online verification (online.cddl). Portable: TEXT, BLOB and INTEGER alone; instants are milliseconds since 1970.

-- What an attempt was answered, for a day: whoever asks again gets the same answer.
CREATE TABLE IF NOT EXISTS attempts (
    terminal   TEXT NOT NULL,
    attempt_id BLOB NOT NULL,
    code_hash  BLOB NOT NULL,     -- SHA-256 of the code in capitals
    finding    INTEGER NOT NULL,  -- online.cddl, verification 3; never 2
    reason     TEXT NOT NULL,
    at_ms      INTEGER NOT NULL,
    PRIMARY KEY (terminal, attempt_id)
);

-- One-time codes used up, and by which attempt, until a day after they have expired.
CREATE TABLE IF NOT EXISTS used_codes (
    code_hash     BLOB PRIMARY KEY,  -- SHA-256 of card and token
    terminal      TEXT NOT NULL,
    attempt_id    BLOB NOT NULL,
    expires_at_ms INTEGER NOT NULL
);
