"""Takes the pictures in docs/pictures of a demo that runs: `python -m demo.pictures [--port 9090]`, some minutes after
its alert has fired. Needs chromium. Look at them before you commit them."""

from __future__ import annotations

import argparse
import base64
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from demo.children import ROOT

sys.path.insert(0, str(ROOT / "tests"))

from web_browser import Browser

FOLDER = ROOT / "docs" / "pictures"
WIDTH = 1280
# Name → what is chosen on the page, and how much of it is taken: pixels from the top.
PICTURES = {
    "overview": ("board=scalpels-overview.json&range=10m", 1000),
    "program": ("board=scalpels-program.json&range=10m&program=cloud-compute", 1370),
    "rpc": ("board=scalpels-rpc.json&range=10m", 1340),
    "sql": ("board=scalpels-sql.json&range=10m", 1030),
}


def taken(browser: Browser, address: str, height: int) -> bytes:
    """A PNG."""
    browser.ask("Emulation.setDeviceMetricsOverride", width=WIDTH, height=height, deviceScaleFactor=1, mobile=False)
    browser.ask("Emulation.setScrollbarsHidden", hidden=True)
    browser.page("about:blank")  # another address with the same page would not load it again
    browser.page(address)
    browser.until("document.body && document.body.dataset.drawn", 30)
    found: str = browser.ask("Page.captureScreenshot", format="png")["data"]
    return base64.b64decode(found)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m demo.pictures")
    parser.add_argument("--port", type=int, default=9090)
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument("--height", type=int, default=0, help="pixels of each; without it as many as README shows")
    chosen = parser.parse_args()
    with TemporaryDirectory() as profile, Browser("chromium", Path(profile)) as browser:
        for name, (choices, height) in PICTURES.items():
            address = f"http://127.0.0.1:{chosen.port}/user/index.html#{choices}"
            png = taken(browser, address, chosen.height or height)
            (chosen.folder / f"{name}.png").write_bytes(png)
            print(f"{name}.png {len(png):,} bytes")


if __name__ == "__main__":
    main()
