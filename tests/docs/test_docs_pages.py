"""What the docs promise holds: links lead somewhere, and what is shown as configuration is configuration."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from scalpels_exporter.catalog import load as load_stem
from scalpels_exporter.config.load import load
from scalpels_exporter.config.trust import Trust
from scalpels_exporter.web import webconfig
from scalpels_exporter.web.webfiles import read as read_web

ROOT = Path(__file__).parent.parent.parent
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^( *)```([^\n]*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
ROOTS_OWN = Trust(stat=lambda path: os.stat_result((0o040755, 0, 0, 0, 0, 0, 0, 0, 0, 0)), read_only=lambda path: False)

Pages = dict[Path, str]


def blocks(pages: Pages, language: str) -> Iterator[tuple[str, str]]:
    """(where, text) of every fenced block whose info string is `language`."""
    for page, text in pages.items():
        for match in FENCE.finditer(text):
            if match[2].strip() == language:
                line = text.count("\n", 0, match.start()) + 1
                indent = len(match[1])
                yield f"{page.relative_to(ROOT)}:{line}", "".join(row[indent:] for row in match[3].splitlines(True))


def anchors(text: str) -> set[str]:
    """As GitHub makes them of headings."""
    found = set()
    for heading in re.findall(r"^#+ (.*)$", FENCE.sub("", text), re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
        found.add(re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-"))
    return found


def test_every_link_leads_to_a_file_and_a_heading_that_are_there(pages: Pages) -> None:
    dead = []
    for page, text in pages.items():
        for target in LINK.findall(FENCE.sub("", text)):
            if re.match(r"[a-z]+:", target):
                continue
            path, _, anchor = target.partition("#")
            file = (page.parent / path).resolve() if path else page
            if not file.exists() or (anchor and anchor not in anchors(file.read_text())):
                dead.append(f"{page.relative_to(ROOT)}: {target}")
    assert not dead


def test_every_decision_that_is_spoken_of_is_there_and_the_numbers_have_no_gap(pages: Pages) -> None:
    folder = ROOT / "docs" / "decisions"
    there = sorted(path.name for path in folder.glob("*.md"))
    assert [int(name[:4]) for name in there] == list(range(1, len(there) + 1))
    sources = [ROOT / "pyproject.toml", *(ROOT / "scalpels_exporter").rglob("*.py"), *(ROOT / "tracers").glob("*.py")]
    spoken = {
        name
        for text in (*pages.values(), *(path.read_text() for path in sources))
        for name in re.findall(r"\b\d{4}-[a-z0-9-]+\.md", text)
    }
    assert spoken
    assert spoken <= set(there)


def test_every_reason_for_which_a_shipped_tracer_loses_events_is_explained(pages: Pages) -> None:
    text = pages[ROOT / "docs" / "troubleshooting.md"]
    rows = [line for line in text.partition("## What is lost")[2].partition("\n## ")[0].splitlines() if "`" in line]
    for stem in (ROOT / "tracers").glob("*.py"):
        for reason in getattr(load_stem(stem).runs, "lost", ()):
            assert any(f"`{stem.stem}`" in row and f"| `{reason}` |" in row for row in rows), f"{stem.stem}: {reason}"


def test_every_page_is_linked_from_another(pages: Pages) -> None:
    linked = {
        (page.parent / target.partition("#")[0]).resolve()
        for page, text in pages.items()
        for target in LINK.findall(text)
        if not re.match(r"[a-z]+:", target)
    }
    decisions = ROOT / "docs" / "decisions"
    alone = [page for page in pages if page not in linked and page != ROOT / "README.md" and page.parent != decisions]
    assert not alone


def test_every_configuration_that_is_shown_is_good(pages: Pages, open_folder: Path) -> None:
    shown = list(blocks(pages, "yaml"))
    assert len(shown) > 5
    for where, text in shown:
        # Scripts and folders that readers have and this machine has not.
        for path in set(re.findall(r"/(?:opt|etc/scalpels)/[\w./-]+", text)):
            stand_in = Path(f"{open_folder}{path}")
            if stand_in.suffix:
                stand_in.parent.mkdir(parents=True, exist_ok=True)
                stand_in.write_text("#!/bin/sh\n")
                stand_in.chmod(0o755)
            elif "tracers" in path:
                stand_in.mkdir(parents=True, exist_ok=True)
            text = re.sub(rf"{re.escape(path)}(?![\w./-])", str(stand_in), text)
        file = open_folder / "scalpels.yaml"
        file.write_text(text)
        try:
            load(file, trust=ROOTS_OWN)
        except Exception as mistakes:
            pytest.fail(f"{where}:\n{mistakes}")


def test_every_web_configuration_that_is_shown_is_good(pages: Pages, tmp_path: Path) -> None:
    shown = list(blocks(pages, "yaml web"))
    assert shown
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    certificate, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    curve = "ec -pkeyopt ec_paramgen_curve:P-256"
    command = f"openssl req -x509 -newkey {curve} -nodes -days 2 -subj /CN=localhost -keyout {key} -out {certificate}"
    subprocess.run(command.split(), check=True, capture_output=True, timeout=60)
    for _, text in shown:
        file = tmp_path / "web.yaml"
        file.write_text(text.replace("/etc/scalpels/tls", str(tmp_path / "tls")))
        assert not webconfig.check(read_web(str(file))).empty


def test_every_prometheus_configuration_that_is_shown_is_good(pages: Pages, tmp_path: Path) -> None:
    shown = list(blocks(pages, "yaml prometheus"))
    assert shown
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed")
    for where, text in shown:
        file = tmp_path / "prometheus.yml"
        file.write_text(re.sub(r"^( *)(password_file|ca_file): .*$", r"\1\2: /dev/null", text, flags=re.MULTILINE))
        done = subprocess.run(["promtool", "check", "config", file], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, f"{where}:\n{done.stdout}{done.stderr}"


def test_every_stem_that_is_shown_is_a_sound_declaration(pages: Pages, tmp_path: Path) -> None:
    shown = [(where, text) for where, text in blocks(pages, "python") if "TRACER = " in text]
    assert shown
    for _, text in shown:
        name = re.search(r'name="([a-z0-9]+)"', text)
        assert name is not None
        path = tmp_path / f"{name[1]}.py"
        path.write_text(text)
        path.with_suffix(".bpf.c").touch()  # what a kernel program's stem has beside it
        assert load_stem(path).name == name[1]


def test_every_excerpt_of_metrics_can_be_parsed(pages: Pages) -> None:
    shown = list(blocks(pages, "text metrics"))
    assert shown
    for where, text in shown:
        assert [family.name for family in text_string_to_metric_families(text)], where
