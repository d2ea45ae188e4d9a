"""Which digests have series of their own, and what is told of them: the companion over maps that a test fills."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import pytest

from scalpels_exporter.declare import Kernel
from scalpels_exporter.leaders import HALF_LIFE_SECONDS, Leaders

SECOND = 1_000_000_000
Key = tuple[int, int, int, int]


class Table(dict[bytes, bytes]):
    def items(self) -> Sequence[tuple[bytes, bytes]]:  # type: ignore[override]
        return list(super().items())

    def put(self, key: bytes, value: bytes) -> None:
        self[key] = value

    def remove(self, key: bytes) -> None:
        self.pop(key, None)


class Counted:
    """The kernel's side."""

    def __init__(self, stem: ModuleType, most: int) -> None:
        self.spent, self.texts, self._stem = Table(), Table(), stem
        self.maps: dict[str, Any] = {"sql_digests": self.spent, "sql_texts": self.texts}
        name = {1: "shop"}.__getitem__
        self.kernel = Kernel(self.maps, lambda: [], {"digests": most}, lambda _: "other", name, lambda _: 0)
        self.companion = self.begin()

    def begin(self) -> Any:
        return self._stem.Digests(self.kernel)

    def add(self, digest: int, calls: int, seconds: float, rows: int = 0, errors: int = 0, side: int = 1) -> None:
        key = struct.pack("=IBBHQ", 1, 0, side, 0, digest)
        before = struct.unpack("=4Q", self.spent.get(key, bytes(32)))
        more = (calls, round(seconds * SECOND), rows, errors)
        self.spent[key] = struct.pack("=4Q", *(a + b for a, b in zip(before, more, strict=True)))
        self.texts.setdefault(
            struct.pack("=Q", digest), struct.pack("=BB6x192s", 8, digest % 2, f"select {digest}".encode())
        )

    def told(self, what: str = "statements_total") -> Counter[str]:
        found: Counter[str] = Counter()
        for name, labels, value in self.companion.samples():
            if name == f"scalpels_sql_digest_{what}":
                assert labels[-1] not in found or labels[2] == "server"
                found[labels[-1]] += value
        return found


def name(digest: int) -> str:
    return f"{digest:016x}"


@pytest.fixture
def counted(stem: Callable[[str], ModuleType]) -> Counted:
    return Counted(stem("sql"), 2)


def test_those_that_take_most_time_have_their_own(counted: Counted) -> None:
    for digest, seconds in ((1, 1.0), (2, 3.0), (3, 2.0)):
        counted.add(digest, calls=digest, seconds=seconds)
    counted.add(0, calls=10, seconds=9.0)  # commands without a text lead never
    assert counted.told() == Counter({name(2): 2, name(3): 3, "other": 11})


def test_every_number_is_told_in_its_unit(counted: Counted) -> None:
    counted.add(1, calls=4, seconds=1.5, rows=7, errors=2)
    assert list(counted.companion.samples()) == [
        ("scalpels_sql_digest_statements_total", ("shop", "mysql", "client", name(1)), 4),
        ("scalpels_sql_digest_seconds_total", ("shop", "mysql", "client", name(1)), 1.5),
        ("scalpels_sql_digest_rows_total", ("shop", "mysql", "client", name(1)), 7),
        ("scalpels_sql_digest_errors_total", ("shop", "mysql", "client", name(1)), 2),
        ("scalpels_sql_digest_info", (name(1), "select 1…"), 1),
    ]


def test_a_place_is_lost_to_one_that_takes_twice_as_much_and_no_number_ever_falls(counted: Counted) -> None:
    counted.add(1, calls=1, seconds=1.0)
    counted.add(2, calls=1, seconds=3.0)
    assert counted.told() == Counter({name(1): 1, name(2): 1})
    counted.add(3, calls=5, seconds=1.9)  # not twice as much as the first's
    assert counted.told() == Counter({name(1): 1, name(2): 1, "other": 5})
    counted.add(3, calls=5, seconds=0.2)
    counted.add(1, calls=1, seconds=0.0)
    assert counted.told() == Counter({name(2): 1, name(3): 5, "other": 6})  # from now on, and what it gained just now
    counted.add(1, calls=7, seconds=9.0)
    assert counted.told() == Counter({name(2): 1, name(1): 1 + 7, "other": 6})  # it goes on where it stood


def test_what_was_counted_before_it_began_is_not_its(counted: Counted) -> None:
    counted.add(1, calls=100, seconds=1.0)
    counted.companion = counted.begin()
    assert counted.told() == Counter()
    counted.add(1, calls=1, seconds=1.0)
    assert counted.told() == Counter({name(1): 1})


def test_without_the_parameter_there_is_nothing(stem: Callable[[str], ModuleType]) -> None:
    counted = Counted(stem("sql"), 0)
    del counted.maps["sql_digests"], counted.maps["sql_texts"]
    assert list(counted.begin().samples()) == []


def test_what_weighed_much_long_ago_weighs_little() -> None:
    leaders = Leaders(1)
    leaders.weigh({1: 100.0}, 1.0)
    leaders.weigh({2: 100.0}, 1.0 + HALF_LIFE_SECONDS / 2)
    assert 1 in leaders  # 71: not half of 100 yet
    leaders.weigh({2: 1.0}, 1.0 + HALF_LIFE_SECONDS)
    assert 1 in leaders
    leaders.weigh({2: 100.0}, 1.0 + 2 * HALF_LIFE_SECONDS)
    assert 1 not in leaders
    assert 2 in leaders
