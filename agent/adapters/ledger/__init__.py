"""The SQLite ledger and the thread that owns it."""
