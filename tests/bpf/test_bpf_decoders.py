"""What numbers and texts of a key become, and how C lays a key out."""

from pathlib import Path

import pytest

from scalpels_exporter.bpf.decoders import Sources, decoder
from scalpels_exporter.bpf.tables import key_bytes
from scalpels_exporter.declare import Field


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    (tmp_path / "dev/block").mkdir(parents=True)
    (tmp_path / "dev/block/8:1").symlink_to("../../devices/pci/block/sda/sda1")
    return Sources({7: "nova-api"}.get, {74: "fsync"}, str(tmp_path))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("field", "value", "label"),
    [
        (Field("n", "I"), 23, "23"),
        (Field("program", "I", "program"), 7, "nova-api"),
        (Field("syscall", "I", "syscall"), 74, "fsync"),
        (Field("syscall", "I", "syscall"), 999, "999"),
        (Field("errno", "i", "errno"), -2, "ENOENT"),
        (Field("errno", "i", "errno"), 11, "EAGAIN"),
        (Field("errno", "i", "errno"), 512, "512"),
        (Field("device", "I", "device"), 8 << 20 | 1, "sda1"),
        (Field("device", "I", "device"), 253 << 20 | 4, "253:4"),
        (Field("fstype", "8s", "text"), b"ext4\0\0\0\0", "ext4"),
        (Field("operation", "B", "choice", ("read", "write")), 1, "write"),
        (Field("operation", "B", "choice", ("read", "write")), 2, "other"),
    ],
)
def test_a_member_of_a_key_becomes_a_labels_value(sources: Sources, field: Field, value: object, label: str) -> None:
    assert decoder(field, sources)(value) == label


@pytest.mark.parametrize(
    ("formats", "size"), [("I", 4), ("II", 8), ("QI", 16), ("IQ", 16), ("BH", 4), ("IB", 8), ("16s", 16), ("I5s", 12)]
)
def test_a_key_has_the_size_that_c_gives_it(formats: str, size: int) -> None:
    import re

    assert key_bytes([Field("", one) for one in re.findall(r"\d*\w", formats)]) == size
