"""Leaves grandchildren behind: one in its group, one in a session of its own that ignores SIGTERM."""

import os
import sys

from wire import NAME, end, sample

LIVE = "import time, signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(1000)"
for detach in (False, True):
    if os.fork() == 0:
        if detach:
            os.setsid()
        if os.fork() == 0:
            os.execv(sys.executable, [sys.executable, "-c", LIVE, f"grandchild-of-{NAME}"])
        os._exit(0)
for count, _ in enumerate(sys.stdin, 1):
    sample(count)
    end()
