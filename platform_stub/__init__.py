"""A small but real platform: issuer, trust repository, ingest, web page. Shares no code with the agent."""
