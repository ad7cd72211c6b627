"""What crosses the wire, read and written by the CDDL alone; knows no carrier and stores nothing."""
