"""Lives, reads its ticks, and says nothing."""

import sys

for _ in sys.stdin:
    pass
