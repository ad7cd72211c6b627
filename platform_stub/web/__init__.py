"""HTTP: the server, its problems, and the page."""
