"""A file of configuration, loaded beside three built-in tracers made for these tests."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from scalpels_exporter.config.load import load
from scalpels_exporter.config.settings import Mistakes, Settings
from scalpels_exporter.config.trust import Trust

BUILTIN = Path(__file__).parent / "tracers"


@pytest.fixture(name="trust")
def trust_fixture(tmp_path: Path) -> Trust:
    """Trusts whoever runs the tests, and takes the folders above `tmp_path` for root's."""

    def look(path: Path) -> os.stat_result:
        real = path.lstat()
        if path.is_relative_to(tmp_path) and path != tmp_path:
            return real
        return os.stat_result((stat.S_IFDIR | 0o755, *real[1:4], os.geteuid(), *real[5:]))

    return Trust(owner=os.geteuid(), stat=look)


@pytest.fixture(name="configured")
def configured_fixture(tmp_path: Path, trust: Trust) -> Callable[[str], Settings]:
    """Settings of the text of a file."""

    def configured(text: str) -> Settings:
        file = tmp_path / "scalpels.yaml"
        file.write_text(text)
        return load(file, builtin=BUILTIN, trust=trust)

    return configured


@pytest.fixture(name="mistaken")
def mistaken_fixture(tmp_path: Path, configured: Callable[[str], Settings]) -> Callable[[str], list[str]]:
    """The lines of mistakes of the text of a file, its folder left out."""

    def mistaken(text: str) -> list[str]:
        with pytest.raises(Mistakes) as caught:
            configured(text)
        return str(caught.value).replace(f"{tmp_path}/", "").splitlines()

    return mistaken
