"""Prints a counter that goes backwards, and one that is negative."""

import sys

from wire import end, sample

for count, _ in enumerate(sys.stdin, 1):
    sample(1000 - count)
    sample(-1, "b")
    sample(count, "c")
    end()
