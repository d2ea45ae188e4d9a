"""Makes the first root of a guest: busybox, the modules that lead to the host's own root, and inside/init."""

from __future__ import annotations

import lzma
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

INIT = Path(__file__).parent / "inside" / "init"
FOLDERS = ("bin", "dev", "lower", "modules", "new", "upper")
WANTED = ("virtio_pci", "9pnet_virtio", "9p", "overlay")
FOLDER, SCRIPT = 0o40755, 0o100755


def write(target: Path, kernel: Path, busybox: Path, command: Sequence[str]) -> None:
    """`kernel` and `busybox` are unpacked packages; `command` is what the guest runs once it has the host's root."""
    parts = [entry(name, FOLDER) for name in FOLDERS]
    parts.append(entry("bin/busybox", SCRIPT, (busybox / "bin" / "busybox").read_bytes()))
    parts += [entry(f"modules/{n:02}.ko", SCRIPT, module) for n, module in enumerate(modules(kernel))]
    parts.append(entry("command", SCRIPT, "".join(f"{word}\n" for word in command).encode()))
    parts.append(entry("init", SCRIPT, INIT.read_bytes()))
    parts.append(entry("TRAILER!!!", 0))
    target.write_bytes(b"".join(parts))


def entry(name: str, mode: int, content: bytes = b"") -> bytes:
    """One file in cpio's format `newc`."""
    title = name.encode() + b"\0"
    numbers = (0, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(title), 0)
    head = b"070701" + "".join(f"{number:08x}" for number in numbers).encode() + title
    return head + bytes(-len(head) % 4) + content + bytes(-len(content) % 4)


def modules(kernel: Path) -> Iterator[bytes]:
    """The modules that WANTED takes, each after those that it depends on. What is built in needs none."""
    files = {plain(path): path for path in kernel.rglob("*.ko*")}
    built_in = {plain(Path(line)) for file in kernel.rglob("modules.builtin") for line in file.read_text().split()}
    taken = set[str]()

    def take(name: str) -> Iterator[bytes]:
        if name in taken or name in built_in:
            return
        taken.add(name)
        content = files[name].read_bytes()
        if files[name].suffix == ".xz":
            content = lzma.decompress(content)
        needs = re.search(rb"\0depends=([^\0]*)\0", content)
        assert needs is not None, f"{name} does not say what it depends on"
        for other in filter(None, needs[1].decode().split(",")):
            yield from take(plain(Path(other)))
        yield content

    for name in WANTED:
        yield from take(name)


def plain(path: Path) -> str:
    return path.name.partition(".ko")[0].replace("-", "_")
