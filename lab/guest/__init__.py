"""What runs inside the emulated machine: those who type, scan and plug, and the agent's scanners that listen."""
