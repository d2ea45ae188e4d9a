"""Prints for ever and never a newline."""

import sys

while True:
    sys.stdout.write("x" * 65536)
