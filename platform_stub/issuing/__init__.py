"""What the platform signs beside receipts: health codes, the national code, the trust repository."""
