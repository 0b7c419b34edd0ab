"""Chooses temperature and thresholds on half of the kept-back claims, and measures on the other."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from zlib import crc32

from llama_index_medqa.verification.entailment import Entailment, EntailmentEncoder
from llama_index_medqa.verification.verifier import ClaimVerifier, Reading
from training.verifier.pairs import OWN_CLAIMS, own_claim_abstracts, passage_of
from training.verifier.rows import read_rows

# Of the wrong claims of the choosing half the share that may pass.
WRONG_THAT_MAY_PASS: Mapping[str, float] = {"strict": 0.05, "balanced": 0.15, "open": 0.25}
_CONTRADICTION_PRECISION = 0.9
_TEMPERATURES = tuple(number / 10 for number in range(5, 41))


@dataclass(frozen=True)
class Judged:
    """A claim with the verifier's readings of its abstract.

    Attributes:
        label: ``supported``, ``contradicted`` or ``not_stated``.
        kind: kind of the claim.
        choosing: whether it belongs to the half that thresholds are chosen on.
        readings: of its windows.
    """

    label: str
    kind: str
    choosing: bool
    readings: tuple[Reading, ...]

    @property
    def support(self) -> float:
        """Return the chance of support, compared with a threshold.

        0 where the abstract contradicts more surely.
        """
        support = max((reading.support for reading in self.readings), default=0.0)
        return support if support >= self.contradicted else 0.0

    @property
    def contradicted(self) -> float:
        """Return the greatest chance of contradiction."""
        return max((reading.entailment.contradicted for reading in self.readings), default=0.0)


def judge_claims(folder: Path, model: EntailmentEncoder) -> list[Judged]:
    """Return the kept-back claims, each read beside its whole abstract.

    Args:
        folder: holds ``claims.jsonl.gz`` and ``abstracts.jsonl.gz``.
        model: with temperature 1.
    """
    abstracts = {row["pmid"]: row for row in read_rows(folder / "abstracts.jsonl.gz")}
    return _judged(read_rows(folder / "claims.jsonl.gz"), abstracts, model)


def judge_own_claims(data: Path, model: EntailmentEncoder) -> list[Judged]:
    """Return our own kept-back claims whose abstracts are available.

    They lie beside this module.

    Args:
        data: the folder with ``claims`` and ``sft``, which hold their abstracts.
        model: with temperature 1.
    """
    abstracts = own_claim_abstracts(data)
    return _judged((row for row in read_rows(OWN_CLAIMS) if row["pmid"] in abstracts), abstracts, model)


def _judged(
    rows: Iterable[Mapping[str, Any]], abstracts: Mapping[str, Mapping[str, Any]], model: EntailmentEncoder
) -> list[Judged]:
    verifier = ClaimVerifier(model)
    return [
        Judged(
            row["label"],
            row["kind"],
            crc32(row["pmid"].encode()) % 2 == 0,
            tuple(verifier.readings(row["claim"], [passage_of(abstracts[row["pmid"]])])),
        )
        for row in rows
        if row["part"] == "dev"
    ]


def calibrated(judged: Sequence[Judged]) -> dict[str, Any]:
    """Return temperature and thresholds, with their quality.

    Chosen on one half, measured on the other.

    Args:
        judged: by a model with temperature 1.
    """
    choosing = [one for one in judged if one.choosing]
    temperature = min(_TEMPERATURES, key=lambda value: _surprise(choosing, value))
    cooled = [at_temperature(one, temperature) for one in judged]
    chosen = [one for one in cooled if one.choosing]
    wrong = sorted((one.support for one in chosen if one.label != "supported"), reverse=True)
    thresholds = {name: _above(wrong, share) for name, share in WRONG_THAT_MAY_PASS.items()}
    thresholds["contradicted"] = _precise(chosen)
    others = [one for one in cooled if not one.choosing]
    return {
        "temperature": temperature,
        "thresholds": thresholds,
        "chosen_on": {"claims": len(chosen), **_passing(chosen, thresholds)},
        "measured_on": {"claims": len(others), **_passing(others, thresholds)},
    }


def measured(judged: Sequence[Judged], found: Mapping[str, Any]) -> dict[str, Any]:
    """Return the quality of thresholds that were chosen on other claims.

    Args:
        judged: by a model with temperature 1.
        found: ``temperature`` and ``thresholds`` of :func:`calibrated`.
    """
    cooled = [at_temperature(one, found["temperature"]) for one in judged]
    return {"claims": len(cooled), **_passing(cooled, found["thresholds"])}


def at_temperature(judged: Judged, temperature: float) -> Judged:
    """Return a claim as read at another temperature."""

    def cooled(chances: Entailment) -> Entailment:
        powers = [max(chance, 1e-9) ** (1.0 / temperature) for chance in chances]
        return Entailment(*(power / sum(powers) for power in powers))

    return replace(judged, readings=tuple(replace(one, entailment=cooled(one.entailment)) for one in judged.readings))


def _surprise(judged: Sequence[Judged], temperature: float) -> float:
    """Return the mean negative log-likelihood of the labels.

    By the window that is surest of support.
    """
    total = 0.0
    for one in judged:
        support = max(
            (reading.entailment.supported for reading in at_temperature(one, temperature).readings), default=0.0
        )
        chance = support if one.label == "supported" else 1.0 - support
        total -= math.log(max(chance, 1e-6))
    return total / max(1, len(judged))


def _above(descending: Sequence[float], share: float) -> float:
    """Return the least threshold that at most a share of figures reach.

    In thousandths.
    """
    allowed = int(share * len(descending))
    highest = descending[allowed] if allowed < len(descending) else 0.0
    return (math.floor(highest * 1000 + 1e-6) + 1) / 1000


def _precise(judged: Sequence[Judged]) -> float:
    """Return the least threshold above .5 for precise contradictions."""
    for thousandths in range(500, 1000, 5):
        right = [one.label == "contradicted" for one in judged if one.contradicted >= thousandths / 1000]
        if right and sum(right) >= _CONTRADICTION_PRECISION * len(right):
            return thousandths / 1000
    return 1.0


def _passing(judged: Sequence[Judged], thresholds: Mapping[str, float]) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    for name in WRONG_THAT_MAY_PASS:
        passes = _at_least(thresholds[name])
        figures[name] = {
            "true_kept": _share(passes, (one for one in judged if one.label == "supported")),
            "wrong_passed": _share(passes, (one for one in judged if one.label != "supported")),
            "passed_by_kind": {
                kind: _share(passes, (one for one in judged if one.kind == kind))
                for kind in sorted({one.kind for one in judged})
            },
        }
    contradicted = [one.label == "contradicted" for one in judged if one.contradicted >= thresholds["contradicted"]]
    figures["contradicted"] = {
        "told": len(contradicted),
        "precision": round(sum(contradicted) / len(contradicted), 3) if contradicted else None,
    }
    return figures


def _at_least(threshold: float) -> Callable[[Judged], bool]:
    return lambda one: one.support >= threshold


def _share(passes: Callable[[Judged], bool], judged: Iterator[Judged]) -> float:
    values = [passes(one) for one in judged]
    return round(sum(values) / len(values), 3) if values else 0.0
