"""Where records are kept: one interface over SQLite and PostgreSQL, and the statements."""
