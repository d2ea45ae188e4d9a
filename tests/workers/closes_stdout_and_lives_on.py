"""Closes its stdout after one snapshot and lives on."""

import os
import sys
import time

from wire import end, sample

sys.stdin.readline()
sample(1)
end()
os.close(1)
while True:
    time.sleep(60)
