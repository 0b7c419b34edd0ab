"""What a sentence denies, which way it says things went, and how surely: found by words, each with what it is about."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from llama_index_medqa.text.term_weights import terms

_CLAUSE_END = re.compile(
    r"[;:]|,?\s\b(?:but|whereas|while|although|though|however|nevertheless|yet|except|despite)\b"
    r"|,\s(?=and\b|which\b|with\b)",
    re.IGNORECASE,
)
_NEGATION = re.compile(
    r"\b(?:no(?! (?:less|more|fewer|later|earlier) than\b)|not(?! only\b)|nor|none|never|neither|cannot|unable|"
    r"incapable|fail(?:s|ed|ing|ure)? to|non-?significant(?:ly)?|insignificant(?:ly)?|unchanged|ineffective|"
    # "Unrelated families" denies nothing, "was unrelated to" does.
    r"(?:unrelated|unaffected)(?=\s+(?:to|with|by|in|when|after|during|at|and|or)\b|\s*(?:[.,;:)]|$))|"
    r"unlikely|negligible|refut\w+|rul(?:e|ed|es) out|hardly|barely|"
    r"little (?:or no )?(?:effect|evidence|difference|impact|benefit))\b|n['’]t\b",
    re.IGNORECASE,
)
# Deny something within what is said ("mice without the receptor"), seldom the whole.
_LACK = re.compile(r"\b(?:without|lack(?:s|ed|ing)?|absence|absent|fail(?:s|ed|ing|ure)?|free)\b", re.IGNORECASE)
# Says that there is no difference, in no word that denies.
_SAME = re.compile(
    r"\b(?:similar|comparable|equivalent|equal|identical|same|independent(?:ly)? of|regardless of|irrespective of)\b",
    re.I,
)
# Beginnings of words are marked "-": "increas-" is "increased", "increases" …
_UP_AND_DOWN: dict[str, tuple[str, str]] = {
    "amount": (
        "increas- higher greater rais- rise rises rising rose risen elevat- gain gains gained longer larger "
        "faster up-regulat- upregulat- overexpress- enhanc- promot- stimulat- accelerat- augment- amplif- "
        "prolong- induces inducing encourag- activat- positive positively exceed- excess grew grow grows grown "
        "double doubled doubles doubling high stronger elongat- extended extends heighten- boost- often",
        "decreas- lower lowers lowered lowering fewer reduc- declin- fell fallen drop drops dropped loss shorter "
        "smaller down-regulat- downregulat- diminish- inhibit inhibits inhibited inhibiting inhibition suppress- "
        "attenuat- slow slower slowed slows impair- block blocks blocked blocking prevent- shorten- deplet- "
        "deficien- abolish- abrogat- weak- lessen- minimis- minimiz- restrict- low lost limits limited mitigat- "
        "alleviat- halve halved halves shrank shrink- inactivat- deactivat- repress- rare rarely seldom inverse "
        "inversely negative negatively",
    ),
    "quality": (
        "improv- better best superior- benefi- effective- efficacious safe safer safely safety favourabl- "
        "favorabl- success- protect- accurate- reliabl- ameliorat- recover-",
        "worse- worst inferior- harm- ineffective- inefficacious unsafe unfavourabl- unfavorabl- unsuccess- "
        "detriment- deteriorat- poor poorer poorly adverse- inaccurate- unreliabl- aggravat- exacerbat- dangerous",
    ),
    "response": (
        "sensitiv- susceptib- sensitis- sensitiz-",
        "resistan- insensitiv- refractory desensitis- desensitiz-",
    ),
}


def _either(words: str) -> str:
    return "|".join(word[:-1] + r"\w*" if word.endswith("-") else word for word in words.split())


_QUALITY = r"\s\w+(?:ive|ful|able|ible|ent|ant|al|ous|ic|ly|ed)\b"
# "Low-grade" names a thing, "non-inferior" is no "inferior", and "more effective" is not more of something.
_CUE = {
    axis: re.compile(
        rf"(?<!non-)\b(?:(?P<up>{_either(up)}{'' if axis != 'amount' else rf'|more(?!{_QUALITY})'})"
        rf"|(?P<down>{_either(down)}{'' if axis != 'amount' else rf'|less(?!{_QUALITY})'}))\b(?!-)",
        re.IGNORECASE,
    )
    for axis, (up, down) in _UP_AND_DOWN.items()
} | {"degree": re.compile(rf"\b(?:(?P<up>more)|(?P<down>less))(?={_QUALITY})", re.IGNORECASE)}
_THAN = re.compile(r"\b(?:than|compared (?:with|to)|versus|vs\.?|relative to)\s+", re.IGNORECASE)
_DOUBT = re.compile(
    r"\b(?:may|might|could|possibl[ey]|possibility|potential(?:ly)?|suggest(?:s|ed|ing|ive)?|"
    r"appear(?:s|ed)? to|seem(?:s|ed)? to|"
    r"(?<!more )(?<!less )likely|unclear|uncertain|unknown|hypothesi[sz]\w*|speculat\w*|presum\w*|perhaps|"
    r"remains? to be|inconclusive|controversial|"
    r"(?:is|are|was|were|been) (?:\w+ly )?(?:thought|claimed|believed|assumed|suspected|supposed|said) to|"
    r"tend(?:s|ed)? to|indicat(?:e|es|ing) that .{0,40}(?:may|might|could))\b",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W_]+(?:[-'’][^\W_]+)*")
_REACH_OF_A_NEGATION = 7
_REACH_OF_A_DOUBT = 7
_REACH_OF_AN_ADJECTIVE = 2
# "The role of X remains unclear" doubts what comes before.
_LOOKS_BACK = re.compile(r"un(?:clear|certain|known)|inconclusive|controversial|remains? to be", re.IGNORECASE)
_REACH_OF_A_DIRECTION = 5
_REACH_OF_A_COMPARISON = 6
# What a direction is about ends where the next thing is told.
_NEXT_THING = re.compile(r",|\b(?:and|or|but)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Cue:
    """A word that says which way something went.

    Attributes:
        word: as it stands in the text.
        axis: what it is on: ``amount``, ``degree``, ``quality``, ``response``.
        up: whether it is the upper end of that.
        denied: whether a negation reaches it.
        changed: the terms near it, within its clause, that name what went that way, as the order of words tells.
        by: the other terms near it.
    """

    word: str
    axis: str
    up: bool
    denied: bool
    changed: frozenset[str]
    by: frozenset[str]

    def nearness(self, other: "Cue") -> int:
        """How much both are about the same; what changed counts twice."""
        about = other.changed | other.by
        return 2 * len(self.changed & about) + len(self.by & about)


@dataclass(frozen=True)
class Doubt:
    """A word of doubt.

    Attributes:
        word: as it stands in the text.
        terms: the terms that it reaches.
    """

    word: str
    terms: frozenset[str]


@dataclass(frozen=True)
class Clause:
    """A part of a sentence that says one thing.

    Attributes:
        terms: its terms.
        negations: the words in it that deny.
        denied: the terms that they reach.
    """

    terms: frozenset[str]
    negations: tuple[str, ...]
    denied: frozenset[str]


@dataclass(frozen=True)
class Polarity:
    """What a text denies, which ways it says things went, and whether it is sure.

    Attributes:
        clauses: with what each denies.
        alike: whether it calls things alike, or says that something lacks, without a word that denies.
        cues: directions.
        doubts: words of doubt, with what they reach.
        compared: for each comparison the terms before "than" and those after it.
    """

    clauses: tuple[Clause, ...]
    alike: bool
    cues: tuple[Cue, ...]
    doubts: tuple[Doubt, ...]
    compared: tuple[tuple[frozenset[str], frozenset[str]], ...]

    @property
    def negations(self) -> tuple[str, ...]:
        """The words that deny."""
        return tuple(word for clause in self.clauses for word in clause.negations)


@lru_cache(maxsize=20_000)
def polarity(text: str) -> Polarity:
    """Reads a sentence's negations, directions and doubts."""
    clauses = list(_clauses(text))
    return Polarity(
        tuple(map(_clause, clauses)),
        bool(_SAME.search(text) or _LACK.search(text)),
        tuple(cue for clause in clauses for cue in _cues(clause)),
        tuple(_doubt(clause, match) for clause in clauses for match in _DOUBT.finditer(clause)),
        tuple(
            (terms(clause[: match.start()]), terms(" ".join(_words(clause[match.end() :])[:_REACH_OF_A_COMPARISON])))
            for clause in clauses
            for match in _THAN.finditer(clause)
        ),
    )


def _clause(text: str) -> Clause:
    found = list(_NEGATION.finditer(text))
    denied: set[str] = set()
    for match in found:
        denied |= terms(" ".join(_words(text[match.end() :])[:_REACH_OF_A_NEGATION]))
        denied |= terms(" ".join(_words(text[: match.start()])[-1:]))
    return Clause(terms(text), tuple(match.group().lower() for match in found), frozenset(denied))


def _doubt(clause: str, match: re.Match[str]) -> Doubt:
    before, after = _words(clause[: match.start()]), _words(clause[match.end() :])
    reached = after[: _REACH_OF_AN_ADJECTIVE if match.group().lower() == "potential" else _REACH_OF_A_DOUBT]
    if not reached or _LOOKS_BACK.search(match.group()):
        reached = before[-_REACH_OF_A_DOUBT:] + reached
    return Doubt(match.group().lower(), terms(" ".join(reached)))


def _clauses(text: str) -> Iterator[str]:
    start = 0
    for match in _CLAUSE_END.finditer(text):
        yield text[start : match.start()]
        start = match.start()
    yield text[start:]


def _words(text: str) -> list[str]:
    return [match.group() for match in _WORD.finditer(text)]


def _cues(clause: str) -> Iterator[Cue]:
    found = sorted(
        ((match, axis) for axis, pattern in _CUE.items() for match in pattern.finditer(clause)),
        key=lambda item: item[0].start(),
    )
    limits = sorted({0, len(clause), *(place.start() for place in _NEXT_THING.finditer(clause))})
    for match, axis in found:
        start = max(limit for limit in limits if limit <= match.start())
        end = min(limit for limit in limits if limit >= match.end())
        before, after = _words(clause[start : match.start()]), _words(clause[match.end() : end])
        sides = (
            terms(" ".join(before[-_REACH_OF_A_DIRECTION:])),
            terms(" ".join(after[:_REACH_OF_A_DIRECTION])),
        )
        # "Stroke was reduced by aspirin": what comes before is what changed.
        passive = not sides[1] or after[0].lower() in {"by", "in", "with", "among", "after", "under"}
        changed, other = sides if passive else sides[::-1]
        yield Cue(
            match.group().lower(),
            axis,
            match["up"] is not None,
            _is_denied(clause, match.start()),
            changed,
            other - changed,
        )


def _is_denied(clause: str, place: int) -> bool:
    """Whether a negation stands shortly before a place."""
    return any(
        len(_words(clause[match.end() : place])) < _REACH_OF_A_NEGATION
        for match in _NEGATION.finditer(clause, 0, place)
    )


def denial(sentence: str, evidence: str) -> str | None:
    """What one of two sentences denies and the other does not; None where they agree.

    A negation counts where it reaches a term that both share: "A fell but B did not" does not oppose "A fell".
    """
    mine, theirs = polarity(sentence), polarity(evidence)
    words = terms(sentence)
    if mine.negations:
        return None if theirs.negations or theirs.alike else f"the text does not deny it: {mine.negations[0]!r}"
    if mine.alike or not theirs.negations:
        return None
    nearest = max(theirs.clauses, key=lambda clause: len(clause.terms & words))
    affirmed = frozenset[str]().union(*(clause.terms - clause.denied for clause in theirs.clauses))
    for clause in theirs.clauses:
        # "It lowered the pulse, but not the pressure" denies of the pressure alone.
        if clause.denied & words and (clause is nearest or (clause.denied & words) - affirmed):
            return f"the text denies it: {clause.negations[0]!r}"
    return None


def opposite_direction(sentence: str, evidence: str) -> str | None:
    """Where two sentences say that the same thing went opposite ways; None where they do not.

    "A was higher than B" and "B was lower than A" are the same; "B was higher than A" is the contrary.
    """
    mine, theirs = polarity(sentence), polarity(evidence)
    swapped = _swapped(mine, theirs)
    for cue in mine.cues:
        # "Was not associated with higher mortality" says neither way.
        rivals = [other for other in theirs.cues if (other.axis, other.denied) == (cue.axis, cue.denied)]
        if not rivals:
            continue
        nearest = max(rivals, key=lambda other: (cue.nearness(other), other.up == cue.up))
        if (nearest.up != cue.up) != swapped:
            return f"{cue.word!r} here, {nearest.word!r} of another side in the text"
    return None


def _swapped(mine: Polarity, theirs: Polarity) -> bool:
    """Whether one compares A with B where the other compares B with A, and nowhere A with B."""

    def crossed(before: frozenset[str], after: frozenset[str]) -> set[bool]:
        found = set()
        for other_before, other_after in theirs.compared:
            if (before & other_after) - (after | other_before) and (after & other_before) - (before | other_after):
                found.add(True)
            elif before & other_before and after & other_after:
                found.add(False)
        return found

    return any(crossed(before, after) == {True} for before, after in mine.compared)


def overstated(sentence: str, evidence: str) -> str | None:
    """The word of doubt in a text whose sentence has none; None where both are as sure.

    A doubt counts where it reaches a term that both share: "A may be a marker; B fell" is as sure of B as "B fell".
    """
    mine, theirs = polarity(sentence), polarity(evidence)
    if mine.doubts:
        return None
    words = terms(sentence)
    return next((f"the text says {doubt.word!r}" for doubt in theirs.doubts if doubt.terms & words), None)
