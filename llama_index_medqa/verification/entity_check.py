"""Whether a claim names a drug, gene, disease, organism, procedure or device that its evidence does not name."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from importlib.resources import files

from llama_index_medqa.text.abbreviations import find_acronyms
from llama_index_medqa.text.words import FUNCTION_WORDS
from llama_index_medqa.verification.entity_names import (
    EntityMention,
    american,
    entity_mentions,
    is_symbol,
    latin_symbol_key,
    name_key,
    symbol_key,
    symbols,
    tokens,
)

_MOST_WORDS_ABBREVIATED = 6
# A name and another form of it ("thrombosis", "thromboses") share five letters and three quarters of the longer.
_SHARED_LETTERS = 5
_SHARED_PART = 0.75
# What stands behind the shared letters, as one word and its forms differ: vaccin-e and vaccin-ation, anesthe-sia and
# anesthe-tic, ventilat-or and ventilat-ion. With other ends it is another word: warfar-in and warfar-e, lacta-se and
# lacta-te, bronch-itis and bronch-ial. Of salts and their acids there is one pair.
_FORM_ENDS = frozenset(
    {
        *(
            "",
            *"s e es ed ing y ies ic ics ical ically al ally ar ous ious ion ions um us a i ae ia ian ians ity".split(),
        ),
        *"ation ations ational ated ating ative ator ators atory or ors ory er ers ry ment ments eutic eutics".split(),
        *"sis ses tic tics sia sed zed zing sing nt nts tion tions tional ted ting tor tive osis oses iasis".split(),
        *"ity ist ists ism ize ized izing ization ise ised ising isation".split(),
    }
)
_SALT_AND_ACID = frozenset({"ate", "ic"})
# "Ugandan" and "Uganda", "Swedish" and "Sweden"; but not "Austria" and "Australia".
_PLACE_LETTERS = 4
_PLACE_ENDS = frozenset(
    {
        *("", *"s a an ans n ns e es ese i is ian ians ean eans ish tish ic y o um us on al uese ay egian".split()),
        *"egians ey en land and ce k iot iots vian vians lese".split(),
    }
)
# Two letters in a row are found in the initials of any long text.
_INITIALS = 3
# "quality of life" is QoL or QL.
_WITHIN_NAMES = frozenset({"of", "the", "in", "for"})
_SENTENCE_END = re.compile(r"[.;:?!]\s|.?\n")
_SHORT_SYMBOL = 2
# "hepatitis A, B and C": three words stand between the name and its last letter.
_MOST_LETTERS = 4
_SYMBOL_EXPRESSION = re.compile(r"\S*(?:\d|.[A-Z])\S*|[A-Z][a-z]?")


class _NearText:
    """A text near the claim's evidence, prepared for comparison when it is needed.

    Args:
        text: the evidence, or its context.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = tokens(text)
        self._parts = [part for _, parts in self._tokens for part in parts]

    @cached_property
    def words(self) -> frozenset[str]:
        """Its words in lower case."""
        return frozenset(part.lower() for part in self._parts)

    @cached_property
    def sequence(self) -> str:
        """Return the keys of its words in order, with a space before and after each."""
        return f" {' '.join(map(name_key, self._parts))} "

    @cached_property
    def by_start(self) -> dict[str, list[str]]:
        """Its words by the first letters of their keys; function words left out."""
        words: dict[str, list[str]] = {}
        for word in self.words - FUNCTION_WORDS:
            words.setdefault(name_key(word)[:_SHARED_LETTERS], []).append(word)
        return words

    @cached_property
    def symbols(self) -> frozenset[str]:
        """Return the keys of its symbols, and of its words of one or two letters with a capital (Na, K)."""
        written = [symbol for _, parts in self._tokens for symbol in symbols(parts)]
        joined = {key(symbol) for symbol in written for key in (symbol_key, latin_symbol_key)}
        short = {part for part in self._parts if is_symbol(part) or (len(part) <= _SHORT_SYMBOL and part[0].isupper())}
        return frozenset(joined | {symbol_key(part) for part in short})

    @cached_property
    def joined(self) -> frozenset[str]:
        """Its words, and two or three in a row without what stands between them ("IL 6", "BI 1015550")."""
        plain = [symbol_key(part) for part in self._parts]
        return frozenset("".join(plain[i : i + length]) for length in (1, 2, 3) for i in range(len(plain)))

    @cached_property
    def initials(self) -> str:
        """Return the first letters of its words in order, function words left out, a space between sentences."""
        letters = []
        for start, parts in self._tokens:
            if _SENTENCE_END.fullmatch(self._text[max(0, start - 2) : start]):
                letters.append(" ")
            letters += [part[0].lower() for part in parts if part.lower() not in FUNCTION_WORDS]
        return "".join(letters)


@dataclass(frozen=True)
class _Equivalence:
    """Other expressions that a text may have for an expression; ``*`` stands for any beginning or end of a word."""

    expression: str
    others: tuple[str, ...]


def entity_conflicts(
    claim: str, evidence: str, context: str = "", *, abbreviations: Collection[tuple[str, str]] = ()
) -> list[str]:
    """Find the names in a claim that neither the evidence nor its context has, in any form or under another name.

    Args:
        claim: the sentence to check.
        evidence: the text that is said to support it.
        context: what tells what the evidence speaks of, such as the title of the record and its other sentences.
        abbreviations: pairs (short form, long form) that the record defines anywhere. Those that the claim itself
            defines count too.

    Returns:
        One detail for people for each name, such as ``the evidence does not name 'warfarin'``; empty where each name
        is accounted for.
    """
    missing = missing_names(claim, evidence, context, abbreviations=abbreviations)
    names = dict.fromkeys(mention.text for mention in _mentions(claim) if mention in missing)
    return [f"the evidence does not name {name!r}" for name in names]


def missing_names(
    claim: str, evidence: str, context: str = "", *, abbreviations: Collection[tuple[str, str]] = ()
) -> frozenset[EntityMention]:
    """Find the same names as :func:`entity_conflicts`, each time that the claim mentions them."""
    missing = _unnamed(claim, evidence)
    if missing and context:
        missing &= _unnamed(claim, context)
    if missing and (pairs := [*abbreviations, *find_acronyms(claim)]):
        missing &= _unnamed(claim, _other_forms((_near_text(evidence), _near_text(context)), pairs))
    return missing


def says_word(word: str, claim: str, evidence: str, *, abbreviations: Collection[tuple[str, str]] = ()) -> bool:
    """Tell whether a text has a word of a claim in any form, under another name, or as part of an abbreviation.

    Args:
        word: one word of the claim, without hyphens.
        claim: where it stands.
        evidence: the text.
        abbreviations: pairs (short form, long form) that the record defines anywhere.
    """
    position = next((number for number, (_, parts) in enumerate(tokens(claim)) if word in parts), 0)
    if is_symbol(word):
        mention = EntityMention(word, symbol_key(word), "symbol", position)
    else:
        mention = EntityMention(word, name_key(word), "word", position)
    near = _near_text(evidence)
    forms = _other_forms((near,), [*abbreviations, *find_acronyms(claim)])
    return _is_named(mention, claim, near) or _is_named(mention, claim, _near_text(forms))


@lru_cache(maxsize=20_000)
def _unnamed(claim: str, text: str) -> frozenset[EntityMention]:
    """Return the names of a claim that a text does not have."""
    return frozenset(mention for mention in _mentions(claim) if not _is_named(mention, claim, _near_text(text)))


@lru_cache(maxsize=10_000)
def _mentions(claim: str) -> tuple[EntityMention, ...]:
    return tuple(entity_mentions(claim))


def _other_forms(near: Iterable[_NearText], abbreviations: Collection[tuple[str, str]]) -> str:
    """Return the abbreviations of which a text has either form, both forms."""
    return "\n".join(
        f"{short} {long}"
        for short, long in abbreviations
        if any(symbol_key(short) in text.symbols or f" {_sequence(long)} " in text.sequence for text in near)
    )


def _is_named(mention: EntityMention, claim: str, near: _NearText) -> bool:
    if mention.kind == "symbol":
        named = _has_symbol(mention.key, near) or latin_symbol_key(mention.text) in near.symbols
    else:
        named = _has_form(mention, near) or not near.symbols.isdisjoint(
            _possible_abbreviations(claim, mention.position)
        )
    return named or any(_has_expression(other, near) for other in _equivalents(mention, claim))


def _has_symbol(key: str, near: _NearText) -> bool:
    """Return whether a text has a symbol, a special kind of it (HDL-C for HDL) or words that it is the initials of."""
    if key in near.symbols or key in near.joined:
        return True
    if len(key) < _INITIALS:
        return False
    return key in near.initials or (key.isalpha() and any(symbol.startswith(key) for symbol in near.symbols))


def _has_form(mention: EntityMention, near: _NearText) -> bool:
    """Return whether a text has a word that differs from a name in its ending only."""
    key = mention.key
    written = symbol_key(mention.text)
    if f" {key} " in near.sequence or not near.joined.isdisjoint((written, written.removesuffix("s"))):
        return True
    name, _, letter = key.partition(" ")
    if letter:
        return _has_letter(name, letter, near)
    if mention.kind == "proper" and any(_is_of_one_place(mention.text.lower(), word) for word in near.words):
        return True
    return any(_is_form(mention.text, word) for word in near.by_start.get(key[:_SHARED_LETTERS], ()))


def _is_form(name: str, other: str) -> bool:
    """Return whether two words share so much, and end in such a way, that they are forms of one."""
    keys = name_key(name), name_key(other)
    if _shared_letters(*keys) < max(_SHARED_LETTERS, _SHARED_PART * max(map(len, keys))):
        return False
    ends = _ends(american(name), american(other))
    return ends <= _FORM_ENDS or ends == _SALT_AND_ACID


def _is_of_one_place(name: str, other: str) -> bool:
    """Return whether two words name a place and its people: Uganda and Ugandan."""
    return _shared_letters(name, other) >= min(_PLACE_LETTERS, len(name)) and _ends(name, other) <= _PLACE_ENDS


def _ends(first: str, second: str) -> frozenset[str]:
    """Return what stands behind the letters that two words share."""
    shared = _shared_letters(first, second)
    return frozenset({first[shared:], second[shared:]})


def _has_letter(name: str, letter: str, near: _NearText) -> bool:
    """Return whether a text has a name with a letter, perhaps after others: "hepatitis A, B and C"."""
    return bool(re.search(rf" {re.escape(name)}(?: \w{{1,3}}){{0,{_MOST_LETTERS}}} {letter} ", near.sequence))


def _shared_letters(first: str, second: str) -> int:
    pairs = zip(first, second, strict=False)
    return next((number for number, (a, b) in enumerate(pairs) if a != b), min(len(first), len(second)))


@lru_cache(maxsize=10_000)
def _possible_abbreviations(claim: str, position: int) -> frozenset[str]:
    """Return the initials of a word of a claim and of the words next to it, as its text may abbreviate them."""
    words = [parts[0].lower() for _, parts in tokens(claim)]
    found = set()
    for first in range(max(0, position - _MOST_WORDS_ABBREVIATED + 1), position + 1):
        for last in range(max(first + 2, position + 1), first + _MOST_WORDS_ABBREVIATED + 1):
            phrase = [word for word in words[first:last] if word not in _WITHIN_NAMES]
            if len(phrase) > 1 and FUNCTION_WORDS.isdisjoint(phrase):
                found.add("".join(word[0] for word in phrase))
    return frozenset(found)


@lru_cache(maxsize=10_000)
def _equivalents(mention: EntityMention, claim: str) -> tuple[str, ...]:
    """Expressions that may stand for a name, alone or as part of an expression that the claim has."""
    name, _, letter = mention.key.partition(" ")
    # "Hepatitis B" goes by another name than "hepatitis" does.
    said = f" {mention.key if letter else _sequence(claim)} "
    return tuple(
        other
        for equivalence in _equivalences().get(name, ())
        if is_symbol(equivalence.expression) or f" {_sequence(equivalence.expression)} " in said
        if not letter or " " in equivalence.expression
        for other in equivalence.others
    )


def _has_expression(expression: str, near: _NearText) -> bool:
    if expression.startswith("*"):
        return any(word.endswith(expression[1:]) for word in near.words)
    if expression.endswith("*"):
        start = symbol_key(expression)
        return any(known.startswith(start) for known in (near.symbols if expression[0].isupper() else near.words))
    if _SYMBOL_EXPRESSION.fullmatch(expression):
        key = symbol_key(expression)
        return key in near.symbols or (not key.isalpha() and key in near.joined)
    return f" {_sequence(expression)} " in near.sequence


@lru_cache(maxsize=10_000)
def _sequence(text: str) -> str:
    return " ".join(name_key(part) for _, parts in tokens(text) for part in parts)


@lru_cache(maxsize=2_000)
def _near_text(text: str) -> _NearText:
    return _NearText(text)


@cache
def _equivalences() -> dict[str, list[_Equivalence]]:
    """By the key of each word of an expression, the expressions of entity_synonyms.txt that may stand for it."""
    found: dict[str, list[_Equivalence]] = {}
    for line in (files(__package__) / "entity_synonyms.txt").read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        general, _, special = line.rpartition(" < ")
        group = [expression.strip() for expression in special.split("|")]
        for expression in [general] if general else [known for known in group if "*" not in known]:
            equivalence = _Equivalence(expression, tuple(other for other in group if other != expression))
            words = [symbol_key(expression)] if is_symbol(expression) else _sequence(expression).split()
            for key in words:
                found.setdefault(key, []).append(equivalence)
    return found
