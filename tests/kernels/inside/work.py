"""Does the work of a tracer's case when a line comes on stdin, says so, and lives until stdin is closed.

Started by tests as `work.py CASE MARK`; the mark in its command line gives it its program.
"""

import runpy
import sys

case = runpy.run_path(sys.argv[1])
print("ready", flush=True)
for _ in sys.stdin:
    case["work"]()
    print("done", flush=True)
