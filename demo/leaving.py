"""One folder for everything, which is gone when the demo is: when it ends, and when it is killed."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# What it reads is the end of its input, when we are no more. Until it works: whoever is dying may still write.
_REMOVE = 'read -r _; until rm -rf "$1" 2> /dev/null; do sleep 0.2; done'


@contextmanager
def folder_that_goes() -> Iterator[Path]:
    """Readable by every user; temporary folders that others make lie in it from now on."""
    folder = Path(tempfile.mkdtemp(prefix="scalpels-demo-"))
    folder.chmod(0o755)
    remover = subprocess.Popen(["sh", "-c", _REMOVE, "sh", str(folder)], stdin=subprocess.PIPE, start_new_session=True)
    before, tempfile.tempdir = tempfile.tempdir, str(folder)
    try:
        yield folder
    finally:
        tempfile.tempdir = before
        remover.communicate()
