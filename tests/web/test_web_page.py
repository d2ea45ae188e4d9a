"""The landing page: its files, its policy, and what a browser makes of it."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from importlib.resources import files

import bcrypt
import pytest
from web_browser import Browser

from scalpels_exporter.supervise.status import State

PAGE = files("scalpels_exporter.web").joinpath("page")
NAMES = sorted(entry.name for entry in PAGE.iterdir())


def test_every_file_of_the_page_is_served_under_a_strict_policy(serve):
    running = serve()
    for name in NAMES:
        got = running.get("/" if name == "index.html" else f"/page/{name}")
        assert got.status == 200
        policy = got.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
        assert "unsafe" not in policy
        assert got.headers["x-content-type-options"] == "nosniff"


def test_the_page_links_to_the_metrics_wherever_they_are():
    from scalpels_exporter.web.pages import load

    page = load('/a"b<c')["/"].pieces[0].decode()
    assert 'href="a&quot;b&lt;c"' in page
    assert "{{" not in page


@pytest.mark.parametrize("name", NAMES)
def test_nothing_of_the_page_comes_from_elsewhere_or_is_made_of_markup(name):
    text = PAGE.joinpath(name).read_text()
    assert set(re.findall(r"https?://[^\s\"']+", text)) <= {"http://www.w3.org/2000/svg"}
    for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "style=", "onclick="):
        assert word not in text


def test_every_state_has_a_word_and_a_colour_of_its_own():
    from scalpels_exporter.supervise.status import State

    card = PAGE.joinpath("card.js").read_text()
    for state in State:
        assert re.search(rf"^  {state}: \[\"\S\", \"\w+\", (true|false)\],$", card, re.MULTILINE)


def contrast(one: str, other: str) -> float:
    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_every_text_can_be_read_on_its_ground_in_light_and_in_dark():
    css = PAGE.joinpath("page.css").read_text()
    themes = [
        dict(re.findall(r"--([\w-]+):\s*(#[0-9a-f]{6});", block)) for block in re.findall(r":root {(.*?)}", css, re.S)
    ]
    assert len(themes) == 2
    for theme in themes:
        pairs = [("ink", "ground"), ("ink", "card"), ("quiet", "card"), ("quiet", "ground"), ("link", "ground")]
        pairs += [("card", "link"), ("card", "bad")]
        for tone in ("good", "busy", "warn", "bad", "odd", "still"):
            pairs += [(tone, f"{tone}-ground"), ("ink", f"{tone}-ground")]
        for text, ground in pairs:
            assert contrast(theme[text], theme[ground]) >= 4.5, (text, ground, theme[text], theme[ground])


@pytest.fixture
def browser(tmp_path):
    """browser(url, milliseconds) → the page as it stands then."""
    chromium = shutil.which("chromium")
    if not chromium:
        pytest.skip("needs the Debian package chromium")
    flags = (
        "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
        f"--disable-component-update --disable-sync --user-data-dir={tmp_path}/profile"
    )

    def dump(url: str, milliseconds: int = 8000) -> str:
        command = [chromium, *flags.split(), f"--virtual-time-budget={milliseconds}", "--dump-dom", url]
        return subprocess.run(command, capture_output=True, text=True, timeout=50, check=True).stdout

    return dump


@pytest.mark.server
def test_a_browser_draws_every_tracer_and_takes_no_text_for_markup(serve, browser):
    running = serve()
    evil = "<img src=x onerror=document.title='owned'>"
    known = running.agent.known
    running.agent.known = [replace(known[0], help=evil, why=evil, picture_title=evil), *known[1:]]
    page = browser(f"http://127.0.0.1:{running.port}/")
    for tracer in known:
        assert f'id="tracer-{tracer.tracer}"' in page
    assert "<img src=x" not in page
    assert "<title>(4) here – scalpels</title>" in page
    assert page.count("<path") == 2 * len(known)
    assert "ends by itself in 8 min" in page
    assert 'aria-label="Start vpn"' in page
    assert re.search(r"<dt>CPU</dt><dd>[\d.]+ %</dd>", page)
    assert '<details id="controls-note" class="note" hidden="">' in page


@pytest.mark.server
def test_a_browser_that_may_not_control_is_told_why(serve, browser):
    running = serve(addresses=("0.0.0.0:0",))
    page = browser(f"http://127.0.0.1:{running.port}/")
    assert '<details id="controls-note" class="note">' in page
    assert "basic_auth_users" in page
    assert page.count('<div class="controls" hidden="">') == len(running.agent.known)


@pytest.mark.server
def test_a_browser_says_when_the_agent_stops_answering(serve, browser):
    running = serve()
    answers = iter([True, True])

    def statuses():
        if next(answers, False):
            return running.agent.known
        raise RuntimeError("gone")

    running.agent.statuses = statuses
    page = browser(f"http://127.0.0.1:{running.port}/", 20000)
    assert re.search(r'<p id="lost"[^>]*>The agent has not answered since .*what stands below is old', page)
    assert '<body class="lost">' in page


@pytest.fixture
def tab(tmp_path):
    """A tab of a browser that can be clicked in."""
    chromium = shutil.which("chromium")
    if not chromium:
        pytest.skip("needs the Debian package chromium")
    with Browser(chromium, tmp_path / "profile") as browser:
        yield browser


@pytest.mark.server
def test_the_buttons_of_the_page_start_with_a_lease_and_stop_when_pressed_twice(serve, tab, tmp_path):
    web = tmp_path / "web.yml"
    web.write_text(f"basic_auth_users:\n  alice: {bcrypt.hashpw(b'secret', bcrypt.gensalt(4)).decode()}\n")
    running = serve(addresses=("0.0.0.0:0",), config=web)
    # With the password in the address, as it is pasted into a chat: what the page fetches must not inherit it.
    tab.page(f"http://alice:secret@127.0.0.1:{running.port}/")
    tab.until("document.querySelector('[aria-label=\"Start port\"]')")
    tab.run("document.getElementById('reason').value = 'slow uploads'")
    tab.run("document.querySelector('[aria-label=\"How long port is to run\"]').value = '10m'")
    tab.run("document.querySelector('[aria-label=\"Start port\"]').click()")
    tab.until("document.getElementById('said').textContent === 'port: start was taken'")
    assert controls_of(running) == [("start", "port", 600.0, "slow uploads", "alice")]

    stop = "document.querySelector('[aria-label=\"Stop system\"]')"
    tab.run(f"{stop}.click()")
    assert tab.run(f"{stop}.textContent") == "Stop it? Press again"
    assert len(controls_of(running)) == 1
    tab.run(f"{stop}.click()")
    tab.until("document.getElementById('said').textContent === 'system: stop was taken'")
    assert controls_of(running)[1:] == [("stop", "system", "slow uploads", "alice")]


@pytest.mark.server
def test_a_start_that_is_refused_is_told_with_its_reason(serve, tab):
    running = serve()
    running.agent.known = [
        replace(one, state=State.STOPPED) if one.tracer == "sql" else one for one in running.agent.known
    ]
    tab.page(f"http://localhost:{running.port}/")
    start = "document.querySelector('[aria-label=\"Start sql\"]')"
    tab.until(start)
    tab.run(f"{start}.click()")
    tab.until("document.getElementById('said').textContent === 'sql was not started: this host cannot run it'")
    assert tab.run("document.getElementById('said').classList.contains('bad')")


def controls_of(running) -> list[tuple[object, ...]]:
    return [call for call in running.agent.calls if call[0] in ("start", "stop")]
