"""Quotation marks in questions: people put names in them, and mean nothing by it."""

import re

_DOUBLE = re.compile(r"[\"“”„«»]")
# In pairs around words: an apostrophe inside a word is none, nor are the primes of 5' and 3'.
_SINGLE = re.compile(r"(?<![\w'’])['‘](\w(?:[^'‘’]*[\w)])?)['’](?!\w)")


def unquoted(question: str) -> str:
    """Return a question without quotation marks.

    What stands in them is asked all the same: ``Is "obesity" a risk?`` is ``Is obesity a risk?``.
    """
    return _SINGLE.sub(r"\1", _DOUBLE.sub("", question))
