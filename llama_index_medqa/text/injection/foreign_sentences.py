"""Sentences that are not English.

The verifier cannot read them, and few of their orders are known.
"""

import re
from typing import Final

from llama_index_medqa.text.language import foreign_language

_WORD = re.compile(r"[^\W\d_]+")
_LEAST_WORDS: Final = 6
# A sentence with this share of the commonest English words is English; of the others a model tells the language.
_LEAST_ENGLISH_SHARE: Final = 0.1
_ENGLISH: Final = frozenset(
    "the of and to is are was were for by with from at on that this these those be been not or it its which than "
    "both as "
    "we our has have had".split()
)


def is_foreign(sentence: str) -> bool:
    """Return whether a sentence is not in English.

    False for one that is too short to tell.
    """
    words = _WORD.findall(sentence.lower())
    if sentence.isascii() and len(words) < _LEAST_WORDS:
        return False
    if words and sum(word in _ENGLISH for word in words) >= _LEAST_ENGLISH_SHARE * len(words):
        return False
    return foreign_language(sentence) is not None
