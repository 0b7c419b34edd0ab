"""Words that carry meaning, and their stems."""

import re
import threading
from functools import lru_cache

import snowballstemmer

_WORD = re.compile(r"[^\W_]+(?:-[^\W_]+)*")
FUNCTION_WORDS = frozenset(
    "a about after all also am an and any are as at be because been before being between both but by can could did do "
    "does doing during each for from further had has have having he her here hers him his how i if in into is it its "
    "itself may me might more most must my no nor not of off on once only or other our out over own same shall she "
    "should so some such than that the their them then there these they this those through to too under until up very "
    "was we were what when where whether which while who whom why will with would yes you your".split()
)
# A stemmer holds the word that it works on: two threads that share one get wrong stems, or an error.
_stemmers = threading.local()


def content_words(text: str) -> frozenset[str]:
    """Return the stems of a text's content words; numbers are none."""
    return frozenset(
        root
        for word in _WORD.findall(text.lower())
        for part in {word, *word.split("-")}
        if part not in FUNCTION_WORDS and not part.isdigit() and len(root := stem(part)) > 1
    )


@lru_cache(maxsize=50_000)
def stem(word: str) -> str:
    """Return the Snowball stem of a lower-case English word."""
    if not hasattr(_stemmers, "english"):
        _stemmers.english = snowballstemmer.stemmer("english")
    return str(_stemmers.english.stemWord(word))
