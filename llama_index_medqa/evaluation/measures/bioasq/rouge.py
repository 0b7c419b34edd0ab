"""ROUGE-2 and ROUGE-SU4 recall (Lin 2004), which BioASQ uses for ideal answers.

Words are lower-cased runs of letters and digits, without stemming, as ROUGE-1.5.5 reads them by default. ROUGE-2 agrees
with the package ``rouge-score`` 0.1.2 (whose values the tests hold), which has no ROUGE-SU4.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise

_WORD = re.compile(r"[a-z0-9]+")
_MOST_SKIPPED = 4
# Stands before the first word, so that skip-bigrams with it are the text's unigrams (Lin 2004, section 5.2).
_START = ""

Units = Counter[tuple[str, str]]


def rouge_2_recall(text: str, references: Sequence[str]) -> float:
    """Return the share of a reference's word pairs in a text.

    Of the reference that it holds most of.
    """
    return _best_recall(text, references, _bigrams)


def rouge_su4_recall(text: str, references: Sequence[str]) -> float:
    """Return the share of a reference's words and skip bigrams in a text.

    Skip bigrams are ordered pairs of words with up to four between.

    Of several references that counts of which most is held.
    """
    return _best_recall(text, references, _skip_bigrams_and_unigrams)


def _best_recall(text: str, references: Sequence[str], units_of: Callable[[list[str]], Units]) -> float:
    said = units_of(_words(text))
    wanted = [units_of(_words(reference)) for reference in references]
    return max(((said & units).total() / units.total() for units in wanted if units), default=0.0)


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def _bigrams(words: list[str]) -> Units:
    return Counter(pairwise(words))


def _skip_bigrams_and_unigrams(words: list[str]) -> Units:
    units = Counter((_START, word) for word in words)
    for position, word in enumerate(words):
        units.update((word, later) for later in words[position + 1 : position + _MOST_SKIPPED + 2])
    return units
