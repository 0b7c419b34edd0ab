"""A calibrated judge without a key: words, meaning, the attribution checks and a small local model's opinion."""

import asyncio
import math
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llama_index.core.base.embeddings.base import BaseEmbedding

from llama_index_medqa.answerability import is_calibrated
from llama_index_medqa.attribution import Attributor
from llama_index_medqa.errors import InputError
from llama_index_medqa.evaluation.judges.attribution import passages_from
from llama_index_medqa.evaluation.judges.language_model import LogOddsJudge, Opinion
from llama_index_medqa.evaluation.judges.meaning import Meaning
from llama_index_medqa.evaluation.judges.signals import Signals, shown_to_model, signals_of
from llama_index_medqa.evaluation.score import Score
from llama_index_medqa.profiles import EMBEDDED

# Another number where the weights or the signals change; part of every identity.
VERSION = 2


@dataclass(frozen=True)
class Regression:
    """A logistic regression from signals to the chance that people call a claim supported.

    Attributes:
        constant: its constant.
        weights: by the name of the signal; the others count for nothing.
    """

    constant: float
    weights: Mapping[str, float]

    def chance(self, signals: Mapping[str, float]) -> float:
        """The chance, 0 to 1."""
        logit = self.constant + sum(weight * signals[name] for name, weight in self.weights.items())
        return 1.0 / (1.0 + math.exp(-max(-700.0, logit)))


# Fitted by ``python -m benchmarks.judge_quality`` on the pairs that it tells of.
WITH_MODEL = Regression(
    -2.777,
    {"meaning": 4.01, "contrary": -0.978, "number": -0.388, "against_contrary": 0.586},
)
WITHOUT_MODEL = Regression(
    -2.997,
    {"coverage": 0.52, "meaning": 4.541, "support": 1.08, "contrary": -0.964, "number": -0.336},
)


class OfflineJudge:
    """The chance that people would call a claim supported by its evidence. Needs no key.

    How well it agrees with people is told in ``benchmarks/README.md`` and beside its scores. Without a language model
    it says the same every time. With one, what its journal holds stays to the last digit; asked anew, llama.cpp can
    move a chance by a few hundredths.

    Args:
        embed_model: the embedded profile's embedder; the cosines of another mean something else.
        language_model: asks the embedded profile's language model. None judges without it, which is another judge with
            another name.

    Raises:
        InputError: the embedder or the language model is another one.
    """

    def __init__(self, embed_model: BaseEmbedding, language_model: LogOddsJudge | None = None) -> None:
        embedder = Path(embed_model.model_name).name
        if not is_calibrated(embedder):
            raise InputError(
                f"The offline judge is calibrated for {EMBEDDED.embedder}, not for {embedder}: give it that embedder."
            )
        model = str(language_model.identity["model"]) if language_model else EMBEDDED.weights
        if EMBEDDED.weights not in model.casefold():
            raise InputError(
                f"The offline judge is calibrated for {EMBEDDED.weights}, not for {model}: serve that model, or judge "
                "with --judge log-odds, which takes any."
            )
        self.embed_model = embed_model
        self._attributor = Attributor(embed_model)
        self._meaning = Meaning(embed_model)
        self._language_model = language_model
        # Answers are judged side by side, and the attributor keeps the vectors of sentences.
        self._reading = threading.Lock()

    @property
    def name(self) -> str:
        """``offline``, or ``offline-without-model``."""
        return "offline" if self._language_model else "offline-without-model"

    @property
    def identity(self) -> Mapping[str, Any]:
        """The weights by their version, and the models."""
        asked = self._language_model.identity if self._language_model else {}
        return {**asked, "judge": self.name, "version": VERSION, "embedder": EMBEDDED.embedder}

    async def score_all(self, claims: Sequence[str], evidence: Sequence[str]) -> list[Score]:
        """The chance of each claim; unscored where the language model gave no opinion."""
        regression = WITH_MODEL if self._language_model else WITHOUT_MODEL
        return [
            one if isinstance(one, Score) else Score.of(regression.chance(one))
            for one in await self.signals(claims, evidence)
        ]

    async def signals(self, claims: Sequence[str], evidence: Sequence[str]) -> list[dict[str, float] | Score]:
        """What the regression goes by, by name; a score that says why where the language model gave no opinion."""
        found = await asyncio.to_thread(self._read, claims, evidence)
        read = [signals._asdict() for signals, _ in found]
        if self._language_model is None:
            return list(read)
        shown = [text for _, text in found]
        opinions = await self._language_model.opinions(list(zip(claims, shown, strict=True)))
        return [
            opinion if isinstance(opinion, Score) else signals | of_opinion(opinion)
            for signals, opinion in zip(read, opinions, strict=True)
        ]

    def _read(self, claims: Sequence[str], evidence: Sequence[str]) -> list[tuple[Signals, str]]:
        passages = passages_from(evidence)
        with self._reading:
            found = self._attributor.candidates_of_all(claims, passages)
            sentences = [sentence.text for passage in passages for sentence in passage.sentences]
            meanings = self._meaning.nearest(claims, sentences)
        return [
            (signals_of(claim, passages, candidates, meaning), shown_to_model(passages, candidates))
            for claim, candidates, meaning in zip(claims, found, meanings, strict=True)
        ]


def of_opinion(opinion: Opinion) -> dict[str, float]:
    """The logarithms of the odds of an opinion: for support against contradiction, and against silence."""
    return {
        "against_contrary": math.log(opinion.supports / opinion.contradicts),
        "against_silence": math.log(opinion.supports / opinion.silent),
    }
