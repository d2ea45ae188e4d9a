"""Ends before it prints anything."""

import sys

print("E! no such device", file=sys.stderr)
sys.exit(3)
