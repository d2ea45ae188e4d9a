"""What every test may use: waiting for a condition, and skips that CI refuses."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any, TypeVar

import pytest

T = TypeVar("T")


def wait_until(condition: Callable[[], T], seconds: float = 10.0, what: str = "") -> T:
    """Polls `condition` until it is true and gives back what it gave; fails with `what` after `seconds`.

    An AssertionError or OSError inside counts as "not yet".
    """
    deadline = time.monotonic() + seconds
    last: object = None
    while True:
        try:
            found = condition()
            if found:
                return found
            last = found
        except (AssertionError, OSError) as error:
            last = error
        if time.monotonic() > deadline:
            pytest.fail(f"not within {seconds} s: {what or condition} (last: {last!r})")
        time.sleep(0.02)  # the one place that waits


@pytest.fixture(name="until")
def until_fixture() -> Callable[..., Any]:
    return wait_until


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.geteuid() == 0:
        return
    for item in items:
        if item.get_closest_marker("root"):
            item.add_marker(pytest.mark.skip(reason="needs root"))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """In CI nothing may be skipped: a skip there is a missing part, so it fails with its reason."""
    outcome = yield
    report = outcome.get_result()
    if report.skipped and os.environ.get("CI") == "true" and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped in CI: {report.longrepr}"
