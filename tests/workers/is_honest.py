"""Keeps the contract: counts its ticks."""

import sys

from wire import end, sample

for count, _ in enumerate(sys.stdin, 1):
    sample(count)
    sample(2 * count, "b")
    end()
