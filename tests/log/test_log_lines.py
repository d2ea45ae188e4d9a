"""Whatever is logged stays one line, and whoever does not read the log holds nobody up."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import re
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalpels_exporter import log

HOSTILE = [
    "two\nlines",
    "carriage\rreturn and \r\n both",
    'quotes " and = and \\ and \\n',
    "\x00\x1b[31mred\x7f",
    "separators\x85\u2028\u2029",
    "\udcff\udc80 bytes that are no UTF-8",
    "",
    " ",
    "x" * 100_000,
    "\n" * 10_000,
]
LOGFMT = re.compile(r'([a-z]+)=("(?:[^"\\]|\\.)*"|[^\s"=]+)(?: |\Z)')


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    """The root logger as it was, after a test that set it up."""
    found = logging.getLogger()
    before, level, raises = found.handlers[:], found.level, logging.raiseExceptions
    asyncio_level = logging.getLogger("asyncio").level
    yield found
    found.handlers[:], logging.raiseExceptions = before, raises
    found.setLevel(level)
    logging.getLogger("asyncio").setLevel(asyncio_level)


def line_of(style: str, text: str, field: str) -> str:
    """What one event becomes; formatted only."""
    record = logging.makeLogRecord({"name": "scalpels.x", "levelno": 20, "levelname": "INFO", "msg": "%s"})
    record.args = (text,)
    record.fields = {"why": field}
    formatter = log._Json() if style == "json" else log._Logfmt()
    return formatter.format(record)


def read_back(style: str, line: str) -> dict[str, str]:
    if style == "json":
        found: dict[str, str] = json.loads(line)
        return found
    pairs = list(LOGFMT.finditer(line))
    assert "".join(pair[0] for pair in pairs) == line  # nothing is between the pairs
    return {pair[1]: json.loads(pair[2]) if pair[2].startswith('"') else pair[2] for pair in pairs}


@pytest.mark.parametrize("style", log.FORMATS)
@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_stays_in_its_line_and_in_its_field(style: str, text: str) -> None:
    line = line_of(style, text, text)
    assert len(line.splitlines()) == 1
    assert line.isprintable()
    assert len(line.encode()) < 14 * log.MOST_CHARACTERS
    found = read_back(style, line)
    assert list(found) == ["ts", "level", "component", "msg", "why"]
    shown = text[: log.MOST_CHARACTERS].encode("utf-8", "replace").decode()
    assert found["msg"] == found["why"] == shown


@given(st.text(st.characters(exclude_categories=()), max_size=60))
def test_any_text_can_be_read_back(text: str) -> None:
    for style in log.FORMATS:
        line = line_of(style, text, text)
        assert line.isprintable()
        assert read_back(style, line)["why"] == text.encode("utf-8", "replace").decode()


def test_levels_and_components_are_those_of_the_field() -> None:
    record = logging.makeLogRecord({"name": "scalpels.supervise", "levelno": 30, "levelname": "WARNING", "msg": "x"})
    assert log._Logfmt().format(record).endswith("level=warn component=supervise msg=x")


def test_an_error_is_told_by_its_kind_without_a_traceback(root: logging.Logger) -> None:
    read, write = os.pipe()
    root.handlers[:] = [handler := log.Unblocked(write)]
    handler.setFormatter(log._Logfmt())
    try:
        raise ValueError("no\nsuch thing")
    except ValueError:
        logging.getLogger("scalpels.x").exception("it failed")
    os.close(write)
    with os.fdopen(read) as file:
        text = file.read()
    assert text.count("\n") == 1
    assert r'error="ValueError: no\nsuch thing"' in text


def test_a_log_that_nobody_reads_holds_nobody_up_and_says_later_what_is_missing() -> None:
    read, write = os.pipe()
    handler = log.Unblocked(write)
    handler.setFormatter(log._Logfmt())

    def say() -> None:
        for number in range(5000):
            handler.emit(logging.makeLogRecord({"name": "scalpels.x", "levelname": "INFO", "msg": f"line {number} "}))

    speaker = threading.Thread(target=say, daemon=True)
    speaker.start()
    speaker.join(10)
    assert not speaker.is_alive()
    assert handler.dropped > 3000
    before = os.read(read, 1 << 20).decode()
    dropped = handler.dropped
    handler.emit(logging.makeLogRecord({"name": "scalpels.x", "levelname": "INFO", "msg": "after"}))
    after = os.read(read, 1 << 20).decode()
    assert before.count("\n") + dropped == 5000
    assert f"lines={dropped}" in after.splitlines()[0]
    assert after.splitlines()[1].endswith("msg=after")
    assert os.get_blocking(write)  # the file is shared with others: its mode is not ours to change
    os.close(read)
    os.close(write)


def test_a_line_that_was_cut_short_does_not_run_into_the_next() -> None:
    read, write = os.pipe()
    fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, 16384)
    handler = log.Unblocked(write)
    handler.setFormatter(log._Logfmt())
    fields = {name: name * 4000 for name in "abcdef"}
    handler.emit(logging.makeLogRecord({"name": "scalpels.x", "levelname": "INFO", "msg": "long", "fields": fields}))
    first = os.read(read, 1 << 20)
    assert not first.endswith(b"\n")
    handler.emit(logging.makeLogRecord({"name": "scalpels.x", "levelname": "INFO", "msg": "next"}))
    cut, about, after = os.read(read, 1 << 20).splitlines()
    assert (cut, about[-8:], after[-8:]) == (b"", b" lines=1", b"msg=next")
    os.close(read)
    os.close(write)


def test_a_closed_log_ends_nobody(root: logging.Logger) -> None:
    read, write = os.pipe()
    os.close(read)
    log.setup("info", "json")
    root.handlers[:] = [handler := log.Unblocked(write)]
    handler.setFormatter(log._Json())
    logging.getLogger("scalpels.x").error("nobody hears it")
    os.close(write)
    logging.getLogger("scalpels.x").error("nor this")
    assert handler.dropped <= 2
