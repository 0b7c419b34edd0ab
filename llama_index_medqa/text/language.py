"""The language of a question, by script, function words and py3langid."""

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

ENGLISH = "English"
OTHER_SCRIPT = "a script other than Latin"

_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "cs": "Czech",
        "da": "Danish",
        "de": "German",
        "en": ENGLISH,
        "es": "Spanish",
        "fi": "Finnish",
        "fr": "French",
        "hu": "Hungarian",
        "it": "Italian",
        "nl": "Dutch",
        "no": "Norwegian",
        "pl": "Polish",
        "pt": "Portuguese",
        "ro": "Romanian",
        "sv": "Swedish",
        "tr": "Turkish",
    }
)
# Words of English questions that no other of these languages has, and that names of trials seldom hold, as "and" and
# "the" do. A question with one of them needs no model.
_ENGLISH_WORDS = frozenset(
    "what which how why when where does did were could should would this that than there between being".split()
)
# Chosen on PubMedQA's and BioASQ's training questions and ten questions in each of the languages: sure enough, or less
# sure between languages of which English is none.
_SURE = 0.5
_FAIRLY_SURE = 0.4
_MOST_ENGLISH = 0.01
_LETTERS = re.compile(r"[^\W\d_]+")
# Greek letters are part of English medical texts ("TNF-α"), a few at a time. An ideograph or kana says as much as three
# letters: questions in Chinese and Japanese are full of Latin abbreviations.
_MOST_FOREIGN_LETTERS = 0.3
_DENSE_SCRIPTS = {"CJK": 3, "HIRAGANA": 3, "KATAKANA": 3, "KATAKANA-HIRAGANA": 3, "HANGUL": 3, "IDEOGRAPHIC": 3}


def foreign_language(question: str) -> str | None:
    """Return the language of a question that is not English.

    Such as ``German``, or ``a script other than Latin``.

    A question that shows no language ("metformin PCOS") counts as English. py3langid is loaded only where neither the
    script nor English function words decide.
    """
    text = unicodedata.normalize("NFKC", question)
    scripts = Counter(unicodedata.name(letter, "").partition(" ")[0] for letter in text if letter.isalpha())
    weights = {script: count * _DENSE_SCRIPTS.get(script, 1) for script, count in scripts.items()}
    if sum(weights.values()) - weights.get("LATIN", 0) > _MOST_FOREIGN_LETTERS * sum(weights.values()):
        return _by_script(weights)
    words = _LETTERS.findall(text.lower())
    return None if not words or not _ENGLISH_WORDS.isdisjoint(words) else _by_model(text)


def _by_script(weights: Mapping[str, int]) -> str:
    if "HANGUL" in weights:
        return "Korean"
    if any(script.startswith(("HIRAGANA", "KATAKANA")) for script in weights):
        return "Japanese"  # without any kana it passes for Chinese
    return "Chinese" if "CJK" in weights else OTHER_SCRIPT


def _by_model(text: str) -> str | None:
    ranked = _identifier().rank(text)
    code, probability = ranked[0]
    is_sure = probability >= _SURE or (probability >= _FAIRLY_SURE and dict(ranked)["en"] <= _MOST_ENGLISH)
    return _NAMES[code] if code != "en" and is_sure else None


@cache
def _identifier() -> Any:
    # It takes a second to load.
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(list(_NAMES))
    return identifier
