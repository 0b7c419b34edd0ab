"""Twins made of whole sentences and of titles.

Sentences are told elsewhere in the abstract or not; titles are paired with conclusions.
"""

import re
from collections.abc import Iterator, Sequence

from training.verifier.abstracts import Abstract
from training.verifier.contrasts import direction, negation
from training.verifier.twin import Twin, TwinSource

_LONG = 110
_LIKE = 0.35
_ENTAILED = 0.55
_WORD = re.compile(r"\w+")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_FINDING = re.compile(
    r"\b(?:is|are|was|were|reduces|increases|improves|causes|inhibits|induces|predicts|does not|do not|did not|"
    r"enhances|prevents|contributes|regulates|promotes|mediates|attenuates|decreases|impairs|affects|protects|delays|lowers|"
    r"facilitates|alters|modulates|activates|differs)\b"
)
_NOTICE = re.compile(
    r"registration|registered|registry|ClinicalTrials|NCT\d|ISRCTN|supplementary material|Copyright|"
    r"[Ff]urther (?:research|studies)|^\W*\w+\W*$",
    re.IGNORECASE,
)


def elsewhere(source: TwinSource) -> Iterator[Twin]:
    """Test a numeric result against another part of its abstract.

    That part tells none of the numbers.
    """
    sentences, index = source.abstract.sentences, source.index
    numbers = set(_NUMBER.findall(source.sentence))
    if len(numbers) < 2:
        return
    others = [
        other
        for other, text in enumerate(sentences)
        if abs(other - index) > 2
        and not numbers & set(_NUMBER.findall(text))
        and _overlap(source.sentence, text) >= _LIKE
    ]
    if not others:
        return
    chosen = max(others, key=lambda number: _overlap(source.sentence, sentences[number]))
    yield Twin(sentences[max(0, chosen - 1) : chosen + 2], min(1, chosen), source.sentence, "neutral")
    yield source.twin(source.sentence, source.sentence, "entailment")


def title(abstract: Abstract, others: Sequence[Abstract], source: TwinSource) -> Iterator[Twin]:
    """Test a title against its own and another conclusion.

    The title states a finding; the other conclusion is the most similar one.
    """
    claim = abstract.title.partition(":")[0].rstrip(". ") + "."
    own = conclusion(abstract)
    if not _FINDING.search(claim) or "?" in abstract.title or _overlap(claim, own) < _ENTAILED:
        return
    yield Twin((own,), 0, claim, "entailment")
    near = max((conclusion(other) for other in others), key=lambda text: _overlap(claim, text))
    yield Twin((near,), 0, claim, "neutral")
    # A title turned round contradicts the conclusion that it was written for.
    turned = TwinSource(Abstract(abstract.pmid, "", (claim,)), 0, source.random)
    changed = next((twin for twin in (*direction(turned), *negation(turned)) if twin.claim != claim), None)
    if changed is not None:
        yield Twin((own,), 0, changed.claim, "contradiction", keep=changed.keep)


def conclusion(abstract: Abstract) -> str:
    """Return the conclusion of an abstract.

    The last two sentences that are no registration or other notice, or the last where two are long.
    """
    sentences = [text for text in abstract.sentences if not _NOTICE.search(text)]
    both = " ".join(sentences[-2:])
    return both if len(both.split()) <= _LONG else sentences[-1]


def _overlap(claim: str, text: str) -> float:
    words = set(_WORD.findall(claim.lower()))
    return len(words & set(_WORD.findall(text.lower()))) / len(words)
