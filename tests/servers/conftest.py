"""How the tests of the servers compare what a load says with what its server says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

SqlCheck = Callable[..., Any]


@pytest.fixture
def exact_sql() -> SqlCheck:
    """Runs mixes on a new load, half of whose connections are opened late; statements must equal the server's count.

    Gives (report, counts) for what else is to be compared.
    """
    from loads.load import SqlLoad
    from loads.reports import SqlReport

    def check(server: Any, client: str, mixes: dict[str, int], *, unix: bool = False, **options: Any) -> Any:
        report = SqlReport()
        with server.counting() as counts, SqlLoad(client, server.target(unix=unix), **options) as load:
            report.add(load.do("connect", count=2))
            report.add(load.do("run", mix="plain", count=10))
            report.add(load.do("connect", count=2))
            for mix, count in mixes.items():
                report.add(load.do("run", mix=mix, count=count))
            report.add(load.do("close"))
            server.until_closed()
        assert report.unexpected == []
        assert counts.verbs == server.countable(report)
        return report, counts

    return check
