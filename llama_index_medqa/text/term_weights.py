"""How much a word tells: its rarity in PubMed, and which words name the same thing."""

import math
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
    """The stems of a text's meaningful words; words for the same thing are one, Greek letters are spelt."""
    return frozenset(_CANONICAL.get(word, word) for word in content_words(text.lower().translate(_GREEK)))


@lru_cache(maxsize=50_000)
def is_common(word: str) -> bool:
    """Return whether a word, in any form, stands in at least one of two hundred abstracts."""
    return stem(word.lower()) in _counts()[1]


@cache
def idf(term: str) -> float:
    """How much a stem tells: the logarithm of abstracts for each that holds it (inverse document frequency)."""
    abstracts, counts = _counts()
    return math.log(abstracts / counts.get(term, _RARE_COUNT))


def is_rare(term: str) -> bool:
    """Whether fewer abstracts hold a stem than are counted one by one: fewer than one in 180."""
    return term not in _counts()[1]


def shared_part(one: frozenset[str], other: frozenset[str]) -> float:
    """Share of the words of two texts that both hold, 0 to 1 (Jaccard index); 0 where neither has words."""
    return len(one & other) / len(one | other) if one or other else 0.0
