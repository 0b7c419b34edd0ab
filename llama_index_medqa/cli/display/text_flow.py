"""Text that comes in pieces, wrapped at the width of a terminal."""

import re
from collections.abc import Collection

from rich.cells import cell_len
from rich.text import Text

from llama_index_medqa.cli.display.console import SafeConsole
from llama_index_medqa.cli.display.links import can_link, linked

_PART = re.compile(r"\n|[^\S\n]+|\S+")


class TextFlow:
    """Writes pieces of text one behind the other, wrapped between words.

    On a terminal, lines break between words at its width. Anywhere else the text is written as it comes, so that a
    sentence stays on one line for programs that read it.

    Args:
        out: where to write.
        pmids: of known records, which become links where the terminal shows them.
    """

    def __init__(self, out: SafeConsole, pmids: Collection[str] = ()) -> None:
        self._out = out
        self._pmids = pmids if can_link(out) else ()
        self._wraps = out.is_terminal
        self._column = 0
        self._gap = ""

    def write(self, text: str, style: str = "") -> None:
        """Write a piece of text."""
        shown = self._wrapped(text) if self._wraps else text
        self._out.print(linked(shown, self._pmids, style), end="", soft_wrap=True)

    def end(self) -> None:
        """End the line."""
        self._column, self._gap = 0, ""
        self._out.print(Text(), soft_wrap=True)

    def _wrapped(self, text: str) -> str:
        """Insert line feeds at the terminal's width.

        A space at the end waits for the next word.
        """
        written = []
        for part in _PART.findall(text):
            if part == "\n":
                written.append("\n")
                self._column, self._gap = 0, ""
            elif part.isspace():
                self._gap += part
            else:
                written.append(self._placed(part))
        return "".join(written)

    def _placed(self, word: str) -> str:
        gap, self._gap = self._gap, ""
        width, length = self._out.width, cell_len(word)
        if gap and self._column and self._column + cell_len(gap) + length > width:
            gap = "\n"
            self._column = 0
        self._column += length + (cell_len(gap) if gap != "\n" else 0)
        # A word that is longer than a line is broken by the terminal; the next one begins a line.
        self._column = min(self._column, width)
        return gap + word
