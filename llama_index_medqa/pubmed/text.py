"""Rules on texts that all inputs share."""

_NO_HEADING = frozenset({"", "UNASSIGNED", "UNLABELLED"})
_UNTRANSLATED = frozenset({"", "[Not Available].", "[Not Available]", "Not Available"})


def fold(text: str) -> str:
    """Return a text with white space folded and trimmed."""
    # Nothing printable but the plain space is white space, so most texts need no work.
    if text.isprintable() and "  " not in text:
        return text.strip(" ")
    return " ".join(text.split())


def heading(text: str) -> str | None:
    """Return a section's label or category.

    None for the words with which NLM says that there is none.
    """
    text = fold(text)
    return None if text.upper() in _NO_HEADING else text


def main_title(title: str, vernacular_title: str) -> str:
    """Return the English title.

    Where NLM has none, the title in the paper's own language.
    """
    return vernacular_title or title if title in _UNTRANSLATED else title
