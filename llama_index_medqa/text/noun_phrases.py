"""Noun phrases of a sentence, found by its words alone."""

import re
from dataclasses import dataclass
from functools import lru_cache

from llama_index_medqa.text.words import FUNCTION_WORDS, stem

_TOKEN = re.compile(
    # "IL-17A", "3.5", "Osler's" and "MEK/ERK" are one word; "delay/disability" and "anti-IL-17A" are two.
    r"\b(?:anti|pro|non)[-‐‑–](?=[^\W\d_]*[A-Z])|[^\W_]+(?:(?!/(?:[a-z]{4}|or\b))[-‐‑–/.+:'’][^\W_]+)*\+?"  # MEK/ERK
)
_GAP = re.compile(r"[\s-]*")
_ABBREVIATED_GENUS = re.compile(r"\.\s")
_POSSESSIVE = re.compile(r"['’]s?\s")
# Verbs of abstracts, in any form: a noun phrase ends before them.
_VERBS = frozenset(
    stem(verb)
    for verb in (
        "achieve affect aim allow appear apply approve arise assess associate become begin believe belong bind "
        "block bring call carry cause characterise characterize classify combine compare comprise conclude conduct "
        "confer confirm consider consist constitute contain contribute correlate decrease define demonstrate "
        "depend derive describe detect determine develop diagnose differ discover display disrupt drive elevate "
        "emerge employ enable encode engage enhance enroll evaluate exert exhibit exist explain express facilitate "
        "find form generate get give go help hypothesise hypothesize identify implicate improve include increase "
        "indicate induce inhibit initiate integrate interact introduce investigate involve isolate keep know lead "
        "let license link locate localise localize made make manifest mean mediate modulate name observe obtain "
        "occur offer originate perform play predict present prevent produce promote propose prove provide reach "
        "receive recognise recognize recommend reduce refer regard regulate release remain report represent "
        "require respond result reveal say secrete see seem serve show stand stimulate study suffer suggest "
        "support suppress surround take target term test trigger treat turn underlie undergo understand undertake "
        "use utilise utilize yield accompany administer"
    ).split()
) | frozenset(("led", "found", "shown", "known", "seen", "given", "bound", "arose", "driven", "taken", "understood"))
# Nouns that are written like a form of these verbs.
_NOUNS = frozenset(
    "target targets binding release study studies result results use form forms test tests increase decrease present "
    "report reports block blocks link links support display trigger triggers name names term terms display act "
    "testing find signaling signalling increased decreased reduced elevated targeted combined integrated".split()
)
_ADVERB = re.compile(r"[a-z]{3,}(?<!ega)(?<!epha)(?<!ue)ly")
_NOT_ADVERBS = frozenset("family anomaly early only assembly elderly daily weekly monthly yearly supply".split())
_OTHER_BREAKS = frozenset(
    "also although among amongst another approximately based compared despite due either etc every first furthermore "
    "hence however including like many moreover much namely neither new novel one per previously rather recent second "
    "several since still thereby therefore thus together toward towards two unlike upon us using various via well "
    "whereas whereby whom within without would yet e.g i.e vs versus three four five many certain different we et al "
    "shown able likely potential potentially major main common current currently available patient-specific "
    "non-specific promising effective significant important key specific particular known so-called best well-known "
    "other others respectively resulting leading caused".split()
)


@dataclass(frozen=True, slots=True)
class Token:
    """A word of a text.

    Attributes:
        text: as it is written.
        start: its first character in the text.
        end: the character after its last.
        breaks: whether no noun phrase goes across it: a verb, a function word, an adverb.
    """

    text: str
    start: int
    end: int
    breaks: bool


@lru_cache(maxsize=5_000)
def words_with_spans(text: str) -> tuple[Token, ...]:
    """Return the words of a text with their positions, in order."""
    return tuple(Token(found.group(), *found.span(), _breaks(found.group())) for found in _TOKEN.finditer(text))


@lru_cache(maxsize=5_000)
def noun_phrases(text: str) -> tuple[tuple[int, int], ...]:
    """Return the longest noun phrases of a sentence.

    Each is given as its first word and the word after its last.

    Words are counted as :func:`words_with_spans` gives them. A phrase ends at a verb, a function word, an adverb,
    a word that only points ("novel", "several"), and any punctuation mark but a hyphen.
    """
    words, phrases, start = words_with_spans(text), [], None
    for position, word in enumerate(words):
        joined = position > 0 and _joins(text, words[position - 1], word)
        if start is not None and (word.breaks or not joined):
            phrases.append((start, position))
            start = None
        if not word.breaks and start is None:
            start = position
    if start is not None:
        phrases.append((start, len(words)))
    return tuple(phrases)


def _joins(text: str, word: Token, following: Token) -> bool:
    between = text[word.end : following.start]
    if _GAP.fullmatch(between) or _POSSESSIVE.fullmatch(between):
        return True
    return len(word.text) == 1 and word.text.isupper() and bool(_ABBREVIATED_GENUS.fullmatch(between))


@lru_cache(maxsize=20_000)
def _breaks(word: str) -> bool:
    plain = word.lower()
    if plain.endswith(("-", "‐", "‑", "–")):
        return True
    if word != plain and any(letter.isupper() for letter in word[1:]):
        return False  # "SEE" and "IS" may be symbols
    if plain in FUNCTION_WORDS or plain in _OTHER_BREAKS:
        return True
    if plain in _NOUNS or plain in _NOT_ADVERBS:
        return False
    return bool(_ADVERB.fullmatch(plain)) or (stem(plain) in _VERBS and not plain.endswith(("er", "or", "ion", "ions")))
