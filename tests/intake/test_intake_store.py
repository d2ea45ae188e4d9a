"""The store keeps whole snapshots, in the order of names."""

from scalpels_exporter.declare import Generator, Tracer
from scalpels_exporter.intake.snapshot import Snapshot
from scalpels_exporter.intake.store import Store


def snapshot(name: str) -> Snapshot:
    return Snapshot(Tracer(name, "", (), Generator()), {}, 0.0)


def test_snapshots_are_swapped_dropped_and_listed_by_name() -> None:
    store = Store()
    assert store.all() == ()
    first, second, newer = snapshot("b"), snapshot("a"), snapshot("b")
    store.put(first)
    store.put(second)
    assert store.all() == (second, first)
    assert store.all() is store.all()
    store.put(newer)
    assert store.all()[1] is newer
    assert store.get("b") is newer
    store.drop("b")
    store.drop("nobody")
    assert store.all() == (second,)
    assert store.get("b") is None
