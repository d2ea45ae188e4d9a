"""`python -m scalpels_exporter` is `scalpels`."""

from __future__ import annotations

import sys

from scalpels_exporter.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
