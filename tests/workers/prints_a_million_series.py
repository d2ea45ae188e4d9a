"""Prints a million series in each snapshot."""

import sys

from wire import end, sample

for count, _ in enumerate(sys.stdin, 1):
    for kind in range(1_000_000):
        sample(count, str(kind))
    end()
