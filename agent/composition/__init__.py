"""Parts of the composition root: they build, and connect what they built."""
