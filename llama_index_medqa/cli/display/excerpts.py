"""Excerpts of long quotes around the words that support a sentence."""

import re
from bisect import bisect_right

from llama_index_medqa.text.words import content_words

_WORD = re.compile(r"\S+")
_CUT = "…"
_ENDS_BEFORE = tuple(".;:?!")


def excerpt(quote: str, claim: str, most: int) -> str:
    """Return a quote cut to a length around a sentence's words.

    Args:
        quote: the supporting text.
        claim: the sentence that it supports.
        most: most characters of what is returned, at least 8.

    Returns:
        The quote where it is short enough; else whole words of it, with "…" where something is left out.
    """
    if len(quote) <= most:
        return quote
    words = list(_WORD.finditer(quote))
    wanted = content_words(claim)
    terms = [content_words(word.group()) & wanted for word in words]
    room = most - 2 * len(_CUT)
    ends = [word.end() for word in words]
    best, best_merit = (0, -1), (-1, 0)
    for first, word in enumerate(words):
        last = bisect_right(ends, word.start() + room) - 1
        if last < first:
            continue
        held = len(frozenset[str]().union(*terms[first : last + 1]))
        # Of two that hold as much, the one that begins with a sentence or a clause.
        merit = (held, int(first == 0 or words[first - 1].group().endswith(_ENDS_BEFORE)))
        if merit > best_merit:
            best, best_merit = (first, last), merit
    return _cut(quote, words, *best, most)


def _cut(quote: str, words: list[re.Match[str]], first: int, last: int, most: int) -> str:
    if last < first:
        return quote[: most - len(_CUT)].rstrip() + _CUT
    start, end = words[first].start(), words[last].end()
    before = _CUT if first > 0 else ""
    after = _CUT if last < len(words) - 1 else ""
    return f"{before}{quote[start:end]}{after}"
