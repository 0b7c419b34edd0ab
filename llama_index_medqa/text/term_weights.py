"""The weight of words by their rarity in PubMed, and synonyms."""

import math
from collections.abc import Iterable
from functools import cache, lru_cache
from importlib.resources import files

from llama_index_medqa.text.search_terms import GREEK_NAMES
from llama_index_medqa.text.words import content_words, stem

# Stands in fewer abstracts than the list tells.
_RARE_COUNT = 30
# Words that a person puts one for the other, by the first.
_SAME = (
    "child children childhood infant pediatr paediatr kid",
    "femal women woman girl",
    "male men man boy",
    "kidney renal nephr",
    "heart cardiac",
    "liver hepat",
    "lung pulmonari",
    "mice mous murin",
    "tumor tumour neoplasm neoplast",
    "cancer carcinoma malign",
    "elder older",
    "covid-19 sar-cov-2 covid sar-cov 2019-ncov coronavirus covid19",
    "brain cerebr",
    "mitochondri mitochondria",
    "bacteri bacteria",
    "mortal death die dead fatal",
    "drug medic medicin",
    "illness diseas",
    "doctor physician clinician",
    "prevent prevention",
    "begin start onset initi",
    "use utilis util",
    "pregnanc pregnant",
    "blood haemat hemat",
    "ifn interferon",
    "interleukin il",
    "safe safer safest safeti",
    "high higher highest",
    "larg larger largest",
    "small smaller smallest",
    "great greater greatest",
    "long longer longest",
    "short shorter shortest",
    "strong stronger strongest",
    "earli earlier earliest",
    "young younger youngest",
    "mild milder mildest",
    "common commoner commonest",
)
_CANONICAL = {word: group.split()[0] for group in _SAME for word in group.split()}
_GREEK = str.maketrans(GREEK_NAMES)


@cache
def _counts() -> tuple[int, dict[str, int]]:
    first, *lines = (files(__package__) / "word_counts.txt").read_text(encoding="utf-8").splitlines()
    counts: dict[str, int] = {}
    for word, count in map(str.split, lines):
        # Words for the same thing are as common as the most common of them, at least.
        term = _CANONICAL.get(word, word)
        counts[term] = max(counts.get(term, 0), int(count))
    return int(first.split()[1]), counts


@lru_cache(maxsize=50_000)
def terms(text: str) -> frozenset[str]:
    """Return the stems of a text's meaningful words.

    Synonyms are one term, and Greek letters are spelt out.
    """
    return frozenset(_CANONICAL.get(word, word) for word in content_words(text.lower().translate(_GREEK)))


@lru_cache(maxsize=50_000)
def is_common(word: str) -> bool:
    """Return whether at least one abstract in 200 has a word in any form."""
    return stem(word.lower()) in _counts()[1]


@cache
def idf(term: str) -> float:
    """Return the inverse document frequency of a stem.

    The logarithm of the number of abstracts for each that holds it.
    """
    abstracts, counts = _counts()
    return math.log(abstracts / counts.get(term, _RARE_COUNT))


def idf_sum(stems: Iterable[str]) -> float:
    """Return the sum of the idf of some stems, the same in any order."""
    return math.fsum(map(idf, stems))


def is_rare(term: str) -> bool:
    """Return whether fewer than one abstract in 180 holds a stem.

    Rarer stems are not counted one by one.
    """
    return term not in _counts()[1]


def shared_part(one: frozenset[str], other: frozenset[str]) -> float:
    """Return the Jaccard index of the words of two texts, 0 to 1.

    0 where neither has words.
    """
    return len(one & other) / len(one | other) if one or other else 0.0
