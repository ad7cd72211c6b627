"""Everything that touches the world: one I/O library per file."""

import mimetypes

# aiohttp reads the system's list of file types when it is imported and keeps 0.4 MB of it; nothing here guesses a type.
mimetypes.knownfiles.clear()
