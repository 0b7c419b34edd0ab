"""A console that obeys no markup and prints no control characters of texts."""

from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.status import Status
from rich.text import Text

from llama_index_medqa.text.printable import printable


class SafeConsole(Console):
    """Rich's console for texts of others.

    Titles, abstracts, names of files, and what models and servers say.

    Square brackets and ``:names:`` stay as they are; control characters that are not Rich's own become
    :data:`~llama_index_medqa.text.printable.REPLACEMENT`.

    Args:
        settings: as for Rich's console.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**{"highlight": False, **settings, "markup": False, "emoji": False})

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Yield the segments to show; Rich's own control codes pass."""
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else printable(text), style, control)

    def write_line(self, text: str = "", style: str = "") -> None:
        """Print one line of text, as it is."""
        self.print(Text(text, style=style), soft_wrap=True)

    def status(self, status: RenderableType, **settings: Any) -> Status:
        """Return a spinner with a text, read without markup."""
        return super().status(Text(status) if isinstance(status, str) else status, **settings)
