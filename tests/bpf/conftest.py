"""A user's folder of tracers that only root can write to, as the agent wants it."""

from __future__ import annotations

import importlib.util
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from scalpels_exporter.bpf import headers

SAMPLES = Path(__file__).parent / "tracers"


@pytest.fixture
def tracer_folder() -> Iterator[Path]:
    """Holds tests/bpf/tracers; under /run, because everyone may write in /tmp."""
    folder = Path(tempfile.mkdtemp(prefix="scalpels-test-", dir="/run"))
    folder.chmod(0o755)
    for file in SAMPLES.iterdir():
        if file.is_file():
            shutil.copy(file, folder)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def bcc() -> None:
    """Skips where kernel programs cannot be compiled."""
    if importlib.util.find_spec("bcc") is None:
        pytest.skip("needs python3-bpfcc")
    if headers.find() is None:
        pytest.skip("needs kernel headers")
