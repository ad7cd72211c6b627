"""The statements that only SQLite understands."""

CONFIGURE = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
"""
READ_ONLY = "PRAGMA query_only = ON"
BEGIN = "BEGIN IMMEDIATE"
COMMIT = "COMMIT"
ROLLBACK = "ROLLBACK"
SAVEPOINT = "SAVEPOINT job"
RELEASE = "RELEASE job"
ROLLBACK_TO = "ROLLBACK TO job"
TABLES = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'records'"
