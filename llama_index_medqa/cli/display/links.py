"""Links from a terminal to PubMed; only checked PMIDs become links."""

import os
import re
from collections.abc import Collection, Iterable, Mapping

from rich.console import Console
from rich.style import Style
from rich.text import Text

from llama_index_medqa.pubmed.pmids import is_pmid
from llama_index_medqa.rendering.references import PUBMED

_PMID = re.compile(r"\bPMID:(\d{1,10})(?!\d)", re.ASCII)
# Terminals that follow OSC 8, by what they set in the environment.
_ABLE_PROGRAMS = frozenset({"iTerm.app", "WezTerm", "vscode", "ghostty", "Hyper", "zed", "rio"})
_ABLE_VARIABLES = ("WT_SESSION", "KITTY_WINDOW_ID", "KONSOLE_VERSION", "DOMTERM", "ALACRITTY_WINDOW_ID")
_ABLE_TERMS = ("xterm-kitty", "xterm-ghostty", "alacritty", "foot", "wezterm", "contour")
# VTE (GNOME Terminal, Tilix, Terminator, Xfce Terminal) follows it since this version; 0.50.0 crashes.
_ABLE_VTE = 5001
# tmux passes it on since this version.
_ABLE_TMUX = (3, 4)


def can_link(console: Console, environment: Mapping[str, str] = os.environ) -> bool:
    """Return whether a console's terminal shows links.

    Only terminals that are known to follow OSC 8 do; ``FORCE_HYPERLINK=1`` or ``0`` decides for others.

    Args:
        console: where text is written.
        environment: what the terminal says of itself.
    """
    if not console.is_terminal or console.is_dumb_terminal or console.legacy_windows or console.color_system is None:
        return False
    forced = environment.get("FORCE_HYPERLINK")
    if forced:
        return forced != "0"
    if "INSIDE_EMACS" in environment or environment.get("TERM", "").startswith("screen"):
        return False
    program = environment.get("TERM_PROGRAM", "")
    if program == "tmux":
        return _version(environment.get("TERM_PROGRAM_VERSION", "")) >= _ABLE_TMUX
    return (
        program in _ABLE_PROGRAMS
        or any(environment.get(name) for name in _ABLE_VARIABLES)
        or environment.get("TERM", "").startswith(_ABLE_TERMS)
        or int((re.match(r"\d+", environment.get("VTE_VERSION", "")) or ["0"])[0]) >= _ABLE_VTE
    )


def checked_pmids(ids: Iterable[object]) -> frozenset[str]:
    """Return the values that have the form of a PMID."""
    return frozenset(text for value in ids if value and is_pmid(text := str(value)))


def linked(text: str, pmids: Collection[str], style: str = "") -> Text:
    """Return a text with the PMIDs of known records as links.

    Args:
        text: any text; what it says of other PMIDs stays text.
        pmids: those that may become links; see :func:`checked_pmids`.
        style: of the whole text.
    """
    shown = Text(text, style=style)
    for found in _PMID.finditer(text):
        if found[1] in pmids:
            shown.stylize(Style(link=f"{PUBMED}/{found[1]}/"), found.start(), found.end())
    return shown


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text)[:2])
