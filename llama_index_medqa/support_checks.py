"""The checks that decide whether a text that is near a sentence supports it."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import lru_cache

from llama_index_medqa.conduct import only_conduct
from llama_index_medqa.polarity import denial, opposite_direction, overstated
from llama_index_medqa.quantities import Quantity, bare, quantities
from llama_index_medqa.text.abbreviations import find_acronyms
from llama_index_medqa.text.term_weights import is_entity_like as is_name
from llama_index_medqa.text.term_weights import terms
from llama_index_medqa.verification.verdicts import Finding, FindingKind

ALL_CHECKS: frozenset[FindingKind] = frozenset(
    {"number", "unit", "negation", "direction", "certainty", "entity", "conduct"}
)
# What makes a text say the contrary, rather than something else.
CONTRARY: frozenset[FindingKind] = frozenset({"negation", "direction"})
_SHORTEST_STEM = 5


@dataclass(frozen=True)
class Claim:
    """A sentence that is to be checked, read once."""

    text: str
    terms: frozenset[str]
    quantities: tuple[Quantity, ...]

    @classmethod
    def of(cls, text: str) -> "Claim":
        """Reads a sentence."""
        return cls(text, terms(text), tuple(quantities(text)))


@dataclass(frozen=True)
class Place:
    """Where a text stands.

    Attributes:
        text: one sentence, or two that follow one another.
        nearest: that of them which shares more with the claim.
        around: the text with the sentences before and after it, and the title.
        record: the whole passage.
    """

    text: str
    nearest: str
    around: str
    record: str


def check(claim: Claim, place: Place, checks: Collection[FindingKind] = ALL_CHECKS) -> tuple[Finding, ...]:
    """What keeps a text from supporting a claim; nothing where it may.

    Args:
        claim: the sentence.
        place: the text.
        checks: kinds of findings to look for.
    """
    if _plain(claim.text) in {_plain(place.text), _plain(place.nearest)}:
        return ()
    return tuple(finding for finding in _findings(claim, place) if finding.kind in checks)


def _plain(text: str) -> str:
    return " ".join(text.split()).rstrip(".").casefold()


def _findings(claim: Claim, place: Place) -> Iterator[Finding]:
    yield from _numbers(claim, place)
    if detail := denial(claim.text, place.nearest):
        yield Finding("negation", detail)
    if detail := opposite_direction(claim.text, place.nearest):
        yield Finding("direction", detail)
    if detail := overstated(claim.text, place.text):
        yield Finding("certainty", detail)
    if only_conduct(place.nearest) and not only_conduct(claim.text):
        yield Finding("conduct", "the text tells what was asked or done, not what was found")
    if strange := strange_names(claim, place):
        yield Finding("entity", f"not near the text: {', '.join(sorted(strange))}")


def _numbers(claim: Claim, place: Place) -> Iterator[Finding]:
    there = _quantities(place.text)
    for number in claim.quantities:
        if any(number.agrees_with(other) for other in there):
            continue
        # "Type 2" of a name may stand in the title alone.
        if number.dimension is None and any(number.agrees_with(other) for other in _quantities(place.around)):
            continue
        if any(bare(number.written) and bare(number.written) == bare(other.written) for other in there):
            yield Finding("unit", f"{number.written!r} has another unit in the text")
        else:
            yield Finding("number", f"{number.written!r} is not in the text")


@lru_cache(maxsize=10_000)
def _quantities(text: str) -> tuple[Quantity, ...]:
    return tuple(quantities(text))


def strange_names(claim: Claim, place: Place) -> set[str]:
    """Names in a claim that stand neither near a text nor, as a short form or its long form, in what is near it."""
    near = terms(place.around)
    strange = {name for name in claim.terms - near if is_name(name) and not _related(name, near)}
    if strange:
        known = set(near)
        for short, long in _acronyms(place.record):
            if terms(short) & near or terms(long) <= near:
                known |= terms(short) | terms(long)
        strange -= known
    return strange


def _related(name: str, near: frozenset[str]) -> bool:
    """Whether a name is a form of a word that is near, or made of such words."""
    if "-" in name:
        return all(part in near or not is_name(part) for part in terms(name.replace("-", " ")))
    return any(
        len(other) >= _SHORTEST_STEM and (other.startswith(name) or name.startswith(other))
        for other in near
        if len(name) >= _SHORTEST_STEM
    )


@lru_cache(maxsize=1_000)
def _acronyms(text: str) -> tuple[tuple[str, str], ...]:
    return tuple(find_acronyms(text))
