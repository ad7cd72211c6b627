"""How codes are written, whoever issues them: encodings, envelopes, compressed and structured data."""
