"""The child's side of a load: a job is a line on stdin, `name {arguments as JSON}`; each is answered by a line of JSON.

The first line said is `ready`. An answer is `{"answer": …}`, `{"unsupported": …}`, or `{"failed": …}` with what went
wrong inside the job; the end of stdin ends the load.
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
            answer: dict[str, Any] = {"answer": _job(jobs, name.strip())(**json.loads(arguments or "{}"))}
        except Unsupported as error:
            answer = {"unsupported": str(error)}
        except Exception:  # the test gets it, and fails
            answer = {"failed": traceback.format_exc()}
        say(json.dumps(answer))


def _job(jobs: Mapping[str, Job], name: str) -> Job:
    if name not in jobs:
        raise Unsupported(f"there is no job {name} here, but {', '.join(jobs)}")
    return jobs[name]
