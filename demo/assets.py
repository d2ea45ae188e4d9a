"""The folder that Prometheus serves under /user: our page, the dashboards' JSON, and uPlot, which draws."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from demo.children import ROOT, Trouble

JSON = ROOT / "dashboards" / "json"
PAGE = Path(__file__).parent / "page"
UPLOT = ("uPlot.iife.min.js", "uPlot.min.css")


def uplot() -> Path:
    """Where tools/uplot.sh has put it."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "scalpels-exporter" / "uplot-1"


def lay_out(folder: Path) -> Path:
    """The folder, filled. Trouble without uPlot."""
    assets = folder / "assets"
    shutil.copytree(PAGE, assets)
    for name in UPLOT:
        if not (uplot() / name).is_file():
            raise Trouble("needs uPlot for its page; sudo make demo gets it with npm")
        shutil.copy(uplot() / name, assets)
    boards = sorted(JSON.glob("*.json"))
    for board in boards:
        shutil.copy(board, assets)
    listed = [{"file": board.name, "title": json.loads(board.read_text())["title"]} for board in boards]
    (assets / "list.json").write_text(json.dumps(listed))
    return assets
