"""Answers each tick two seconds late, from its second one on."""

import sys
import time

from wire import end, sample

for count, _ in enumerate(sys.stdin, 1):
    if count > 1:
        time.sleep(2)
    sample(count)
    end()
