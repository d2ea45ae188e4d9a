"""Where output goes: a terminal of some width with colours, or a file, which gets whole plain lines. Draws nothing.

Colours are the terminal's own named ones, and every colour stands on a word, so that light, dark and colourless
terminals say the same.
"""

from __future__ import annotations

import sys
import textwrap

from rich.console import Console
from rich.text import Text

LEAST_WIDTH = 40


class Screen:
    """`width` is in cells; None where lines are not cut. Colours as the terminal and NO_COLOR say."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or _Console(file=sys.stdout, highlight=False, markup=False, emoji=False)
        terminal = self._console.is_terminal
        self.width: int | None = max(LEAST_WIDTH, self._console.width) if terminal else None

    def line(self, text: Text | str = "", *, whole: bool = False) -> None:
        """One line; cut with an ellipsis where the terminal ends, unless it is to be copied as a `whole`."""
        line = Text(text) if isinstance(text, str) else text
        if self.width is not None and not whole:
            line = shorten(line, self.width)
        line.rstrip()
        self._console.print(line, soft_wrap=True)

    def wrapped(self, text: str, indent: int) -> list[str]:
        """`text` in lines that fit beside `indent` cells; one line where there is no width."""
        if self.width is None:
            return [text]
        room = max(LEAST_WIDTH // 2, self.width - indent)
        return textwrap.wrap(text, room, break_on_hyphens=False) or [""]


class _Console(Console):
    def on_broken_pipe(self) -> None:
        raise BrokenPipeError  # for `boundary`; rich would end the process with status 1


def shorten(text: Text, width: int) -> Text:
    """At most `width` cells; an ellipsis stands for what was cut."""
    if text.cell_len <= width:
        return text
    short = text.copy()
    short.truncate(max(1, width), overflow="ellipsis")
    return short


def padded(text: Text, width: int, *, right: bool = False) -> Text:
    missing = " " * (width - text.cell_len)
    return Text(missing).append_text(text) if right else text.copy().append(missing)
