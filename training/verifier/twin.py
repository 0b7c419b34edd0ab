"""Parts that generators of twins share."""

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from training.verifier.abstracts import Abstract

Label = Literal["entailment", "neutral", "contradiction"]

_AIM = re.compile(
    r"\b(?:whether|if|aim(?:s|ed)?|objectives?|purpose|hypothes[ei]\w*|investigat(?:e[sd]?|ing)|sought|explored?|"
    r"ask(?:s|ed)?|question|plan(?:s|ned)|which factors|goal|protocol|remains? (?:unclear|unknown)|would|will|"
    r"to (?:determine|assess|test|examine|evaluate|compare|explore|identify|study|establish))\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Twin:
    """A training pair before rewording: the abstract's statement and a claim.

    Attributes:
        sentences: The abstract's sentences, with the told statement at `index`.
        index: Place of the statement in `sentences`.
        claim: The hypothesis.
        label: Whether the statement supports the claim.
        altered: Whether the statement differs from the abstract's own, so that its neighbours may dispute it.
        keep: Words of the claim and of the statement that rewording must leave alone.
    """

    sentences: Sequence[str]
    index: int
    claim: str
    label: Label
    altered: bool = False
    keep: tuple[str, ...] = ()


@dataclass(frozen=True)
class TwinSource:
    """A sentence of an abstract, with what generators draw from."""

    abstract: Abstract
    index: int
    random: random.Random
    names: Mapping[str, Sequence[str]] = field(default_factory=dict)
    restrictions: Sequence[str] = ()

    @property
    def sentence(self) -> str:
        """Return the sentence itself."""
        return self.abstract.sentences[self.index]

    def twin(self, statement: str, claim: str, label: Label, keep: tuple[str, ...] = ()) -> Twin:
        """Return the twin with `statement` in place of the sentence."""
        sentences = (*self.abstract.sentences[: self.index], statement, *self.abstract.sentences[self.index + 1 :])
        return Twin(sentences, self.index, claim, label, altered=statement != self.sentence, keep=keep)


def crossed(source: TwinSource, changed: str, wrong: Label, keep: tuple[str, ...]) -> Iterator[Twin]:
    """Yield four twins: each form of a sentence stated of each."""
    forms = (source.sentence, changed) if changed != source.sentence else ()
    for statement in forms:
        for claim in forms:
            yield source.twin(statement, claim, "entailment" if statement == claim else wrong, keep)


def states_aim(sentence: str) -> bool:
    """Return whether a sentence states an aim.

    A change does not contradict it.
    """
    return _AIM.search(sentence) is not None


def capitalized(text: str) -> str:
    """Capitalise the first letter of a text."""
    return text[:1].upper() + text[1:]


def uncapitalized(text: str) -> str:
    """Lower the first letter of a text, unless a name begins it."""
    return text if re.match(r"(?:[A-Z]\b|\w*[A-Z0-9]\w*[A-Z0-9]|[A-Z]-)", text) else text[:1].lower() + text[1:]
