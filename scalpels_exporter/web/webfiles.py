"""Reads the web configuration and the files it names: the half that may need root. Checks no meaning: `webconfig` does.

What it gives is plain data that the privileged side can send to the agent proper, which cannot read a 0600 key.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from scalpels_exporter.config.settings import Mistake, Mistakes

if TYPE_CHECKING:
    from yaml import Node

FILE_BYTES = 1024 * 1024  # a chain of many certificates is some 100 kB
SECTION = "tls_server_config"
FILE_KEYS = ("cert_file", "key_file", "client_ca_file")

Signature = tuple[tuple[str, int, int, int], ...]  # path, mtime_ns, inode, size; zeros where there is no file


@dataclass(frozen=True, slots=True)
class WebFiles:
    """Picklable. Its repr shows no content, because a key is in it."""

    path: str
    text: str
    contents: Mapping[str, bytes]  # by the name as written in the configuration
    signature: Signature

    def __repr__(self) -> str:
        return f"WebFiles(path={self.path!r}, files={sorted(self.contents)})"

    @property
    def paths(self) -> tuple[str, ...]:
        return tuple(entry[0] for entry in self.signature)


def signature(paths: Iterable[str]) -> Signature:
    """Cheap: one stat a file. Equal to `WebFiles.signature` as long as nothing changed on disk."""
    return tuple(_stamp(path) for path in paths)


def changed(files: WebFiles) -> bool:
    return signature(files.paths) != files.signature


def read(path: str) -> WebFiles:
    """Raises Mistakes: what cannot be read, and what is not YAML."""
    found: list[Mistake] = []
    # Taken before the content, so that a file replaced in between reads as changed the next time.
    stamps = [_stamp(path)]
    try:
        text = _content(path).decode()
    except (OSError, ValueError) as error:
        raise Mistakes([Mistake(path, 0, "", _why(error))]) from None
    contents: dict[str, bytes] = {}
    for key, name, line in _named(text, path):
        absolute = str(Path(path).parent / name)
        stamps.append(_stamp(absolute))
        try:
            contents[name] = _content(absolute)
        except (OSError, ValueError) as error:
            found.append(Mistake(path, line, f"{SECTION}.{key}", f"{name}: {_why(error)}"))
    if found:
        raise Mistakes(found)
    return WebFiles(path, text, contents, tuple(stamps))


def _named(text: str, path: str) -> list[tuple[str, str, int]]:
    """(key, file name, line) of every file that the configuration names; wrong types are left to `webconfig`."""
    # Not at the top: who asks only whether files changed needs no YAML.
    from scalpels_exporter.config.source import compose

    root = compose(Path(path), text)
    found = []
    for node in _values(root, SECTION):
        for key in FILE_KEYS:
            for value in _values(node, key):
                if isinstance(value.value, str) and value.value:
                    found.append((key, value.value, value.start_mark.line + 1))
    return found


def _values(node: Node | None, key: str) -> list[Node]:
    from yaml import MappingNode

    pairs = node.value if isinstance(node, MappingNode) else []
    return [value for name, value in pairs if name.value == key]


def _stamp(path: str) -> tuple[str, int, int, int]:
    try:
        found = Path(path).stat()
    except OSError:
        return (path, 0, 0, 0)
    return (path, found.st_mtime_ns, found.st_ino, found.st_size)


def _content(path: str) -> bytes:
    """At most FILE_BYTES of a regular file; never blocks on a pipe."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with os.fdopen(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise ValueError("not a regular file")
        content = file.read(FILE_BYTES + 1)
    if len(content) > FILE_BYTES:
        raise ValueError(f"longer than {FILE_BYTES} bytes")
    return content


def _why(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return "not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
