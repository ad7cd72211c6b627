"""How bytes, keystrokes, reports and sightings become whole scans: pure, one way of arriving per file."""
