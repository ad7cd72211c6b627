"""Long-lived tasks, one file a kind; they speak only to ports."""
