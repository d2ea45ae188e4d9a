"""The landing page's own files, read once at the start. What is in them changes no behaviour here."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from scalpels_exporter.web.message import Answer

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
# Nothing from elsewhere, nothing inline, nothing framed: a tracer's name or reason can never become code.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = (("Cache-Control", "no-cache"), ("Content-Security-Policy", POLICY), ("Referrer-Policy", "same-origin"))


@cache
def contents() -> dict[str, bytes]:
    """File name → content. Read once: the agent does it before it drops root, who alone may be able to."""
    entries = files("scalpels_exporter.web").joinpath("page").iterdir()
    return {file.name: file.read_bytes() for file in entries if _suffix(file.name) in TYPES}


def load(metrics_path: str) -> dict[str, Answer]:
    """Path → answer, for `/` and everything that it links to under /page/."""
    answers = {}
    for name, content in sorted(contents().items()):
        path = f"/page/{name}"
        if name == "index.html":
            path = "/"
            # Relative, as every link of the page, so that it works behind a proxy's prefix.
            content = content.replace(b"{{metrics}}", _escaped(metrics_path.lstrip("/")).encode())
        answers[path] = Answer(200, (content,), TYPES[_suffix(name)], HEADERS)
    return answers


def _suffix(name: str) -> str:
    return "." + name.rpartition(".")[2]


def _escaped(path: str) -> str:
    return path.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
