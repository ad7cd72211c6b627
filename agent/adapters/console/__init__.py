"""What people see of the agent on the spot: lines on the terminal and server-sent events."""
