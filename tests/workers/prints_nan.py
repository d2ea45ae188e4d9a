"""Prints values that are not numbers."""

import sys

from wire import end, sample

for count, _ in enumerate(sys.stdin, 1):
    sample(float("nan"))
    sample(float("inf"), "b")
    sample("7", "c")
    sample(True, "d")
    sample(None, "e")
    sample(count, "f")
    end()
