"""Quotation marks in questions: people put names in them, and mean nothing by it."""

import re

# An apostrophe inside a word is none, nor are the primes of 5' and 3'.
_MARKS = re.compile(r"[\"“”„«»]|(?<![\w'])['‘’](?=\w)|(?<=[^\W\d])['‘’](?!\w)")


def unquoted(question: str) -> str:
    """Return a question without quotation marks.

    What stands in them is asked all the same: ``Is "obesity" a risk?`` is ``Is obesity a risk?``.
    """
    return _MARKS.sub("", question)
