"""The child's side of a load: jobs come as lines on stdin, `name {arguments as JSON}`, each answered by one line of JSON.

The first line said is `ready`. An answer is `{"answer": …}`, or `{"failed": …}` with what went wrong inside the job; the
end of stdin ends the load.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from typing import Any

Job = Callable[..., dict[str, Any]]


class Unsupported(Exception):
    """This client cannot do that job."""


def say(line: str) -> None:
    """Whole, whatever the pipe takes at once."""
    left = f"{line}\n".encode()
    while left:
        left = left[os.write(1, left) :]


def serve(jobs: Mapping[str, Job]) -> None:
    say("ready")
    for line in sys.stdin:
        name, _, arguments = line.partition(" ")
        try:
            answer: dict[str, Any] = {"answer": jobs[name.strip()](**json.loads(arguments or "{}"))}
        except Unsupported as error:
            answer = {"unsupported": str(error)}
        except Exception:  # the test gets it, and fails
            answer = {"failed": traceback.format_exc()}
        say(json.dumps(answer))
