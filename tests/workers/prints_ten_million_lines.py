"""Prints ten million lines as fast as it can, then lives on in silence."""

import json
import sys
import time

from wire import NAME

line = json.dumps([f"scalpels_{NAME}_events_total", ["a"], 1]) + "\n"
for _ in range(10_000):
    sys.stdout.write(line * 1000)
sys.stdout.flush()
while True:
    time.sleep(60)
