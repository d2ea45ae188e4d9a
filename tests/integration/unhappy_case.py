"""What fails and what is lost: what no tracer's own case has. Run by tests/kernels/inside/work.py."""

import runpy
from pathlib import Path
from typing import Any


def case(name: str) -> dict[str, Any]:
    return runpy.run_path(str(Path(__file__).parents[1] / "tracers" / name / "case.py"))


HTTP, SQL = case("http"), case("sql")


def work() -> None:
    HTTP["exchange"]((HTTP["GET"], b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"))
    greeted, statement = SQL["mysql"]()[:2], SQL["packet"](b"\3SELECT 1")
    SQL["exchange"](*greeted, (statement, b""), (statement, b""))  # the second before the answer to the first
