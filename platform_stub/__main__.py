"""`python -m platform_stub`: the same as `scanward-platform`."""

import sys

from platform_stub.cli import main

if __name__ == "__main__":
    sys.exit(main())
