"""Prints lines that are no samples, among good ones."""

import json
import sys

from wire import end, sample

for count, _ in enumerate(sys.stdin, 1):
    print("garbage \x00 {]")
    sys.stdout.flush()
    sys.stdout.buffer.write(b"\xff\xfe\x00garbage\n")
    sys.stdout.flush()
    print(json.dumps({"not": "an end"}))
    print(json.dumps(["only a name"]))
    sample(count)
    end()
