"""The demonstration: a patient's visit on real ttys, judged from its own journal."""
