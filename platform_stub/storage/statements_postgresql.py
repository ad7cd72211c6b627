"""The statements that only PostgreSQL understands."""

SETTINGS = """
SELECT current_setting('fsync'), current_setting('full_page_writes'), current_setting('server_encoding')
"""
# Locks the subjects of a commit in the order given, until it ends, and makes it durable whatever the server's default:
# `off` would acknowledge what a crash takes back; a stronger setting (remote_apply) is left alone.
LOCK = """
SELECT pg_advisory_xact_lock(number),
       set_config('synchronous_commit', coalesce(nullif(current_setting('synchronous_commit'), 'off'), 'on'), true)
FROM unnest($1::bigint[]) AS number
"""
TABLES = "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema() AND tablename = 'records'"
