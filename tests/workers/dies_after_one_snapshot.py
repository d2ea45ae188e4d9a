"""Answers one tick and ends as if all were well."""

import sys

from wire import end, sample

sys.stdin.readline()
sample(1)
end()
