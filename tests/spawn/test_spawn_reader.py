"""Files that root alone may read, read in a process of its own: good, mistaken, broken, or never ending."""

from __future__ import annotations

import os
import pickle
import signal
from pathlib import Path
from typing import Any

import pytest

from scalpels_exporter.config.settings import Mistake, Settings
from scalpels_exporter.spawn import reader
from scalpels_exporter.web.webfiles import WebFiles


def read(path: Path | None, *, web: bool = False) -> tuple[int, Any]:
    """The exit status of the reader, and what it left."""
    memory = os.memfd_create("test")
    _, status = os.waitpid(reader.fork(path, memory, web=web), 0)
    os.lseek(memory, 0, os.SEEK_SET)
    with os.fdopen(memory, "rb") as file:
        content = file.read()
    code = os.waitstatus_to_exitcode(status)
    return code, pickle.loads(content) if code in (reader.GOOD, reader.MISTAKEN) else content.decode()


def test_a_good_file_gives_settings(tmp_path: Path) -> None:
    path = tmp_path / "scalpels.yaml"
    path.write_text("tracers:\n  system: off\n")
    code, found = read(path)
    assert code == reader.GOOD
    assert isinstance(found, Settings)
    assert not found.tracers["system"].enabled


def test_no_file_at_all_gives_the_defaults() -> None:
    code, found = read(None)
    assert code == reader.GOOD
    assert found.tracers["system"].enabled


def test_mistakes_are_given_with_their_places(tmp_path: Path) -> None:
    path = tmp_path / "scalpels.yaml"
    path.write_text("tracer: {}\nbudgets: {overhead: lots}\n")
    code, found = read(path)
    assert code == reader.MISTAKEN
    assert len(found) == 2
    assert all(isinstance(mistake, Mistake) and mistake.file == str(path) for mistake in found)


def test_the_web_configuration_is_read_with_the_files_that_it_names(tmp_path: Path) -> None:
    path = tmp_path / "web.yml"
    path.write_text("http_server_config: {http2: false}\n")
    code, found = read(path, web=True)
    assert code == reader.GOOD
    assert isinstance(found, WebFiles)


def test_what_breaks_the_reader_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(_: Path | None) -> object:
        raise MemoryError("no more\nof it")

    monkeypatch.setattr(reader, "load", breaks)  # in the forked child alone is it called
    code, found = read(tmp_path)
    assert code == reader.BROKEN
    assert found.startswith("MemoryError: no more")


def test_a_reading_that_never_ends_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "SECONDS", 1)
    monkeypatch.setattr(reader, "load", lambda _: signal.pause())
    before = signal.signal(signal.SIGALRM, signal.SIG_IGN)  # whatever the spawner does with it
    try:
        code, found = read(tmp_path)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert code == -signal.SIGALRM
    assert found == ""
