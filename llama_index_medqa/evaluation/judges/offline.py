"""A judge without a key: the verifier and a small language model."""

import asyncio
import math
from collections.abc import Mapping, Sequence
from typing import Any

from llama_index_medqa.evaluation.judges.language_model import LogOddsJudge, Opinion
from llama_index_medqa.evaluation.judges.verifier import passages_from, verified
from llama_index_medqa.evaluation.score import Score
from llama_index_medqa.text.term_weights import idf, terms
from llama_index_medqa.verification.passages import Passage
from llama_index_medqa.verification.verifier import ClaimVerifier, Verifier
from llama_index_medqa.verification.windows import Window, windows_of

# Another number where the score is made in another way; part of every identity.
VERSION = 3
# A chance of 0 or 1 has no log-odds, and neither of the two may outvote the other by being certain.
_LEAST_CHANCE = 0.001
# What the language model is shown of long evidence.
_MOST_WORDS_SHOWN = 60


class OfflineJudge:
    """The verifier and a language model, weighed equally.

    The score is the chance whose log-odds are the mean of theirs.

    Nothing in it is fitted, so that no labelled set made it. With what its journal holds it says the same to the last
    digit; asked again, llama.cpp can move a chance by a few hundredths.

    Args:
        language_model: asks the language model.
        verifier: gives its chance of support; None takes the :class:`ClaimVerifier` of the package.
    """

    name = "offline"

    def __init__(self, language_model: LogOddsJudge, verifier: Verifier | None = None) -> None:
        self._language_model = language_model
        self._verifier: Verifier = verifier or ClaimVerifier()

    @property
    def identity(self) -> Mapping[str, Any]:
        """Return the identities of the model and the verifier.

        The prompt belongs to that of the model.
        """
        own = {"judge": self.name, "version": VERSION, "verifier": dict(self._verifier.identity)}
        return {**self._language_model.identity, **own}

    async def score_all(self, claims: Sequence[str], evidence: Sequence[str]) -> list[Score]:
        """Return the chance that each claim is supported.

        A claim is unscored where the language model gave no opinion.
        """
        passages = passages_from(evidence)
        shown = [(claim, shown_to_model(claim, passages)) for claim in claims]
        opinions, verdicts = await asyncio.gather(
            self._language_model.opinions(shown), verified(self._verifier, claims, evidence)
        )
        return [
            opinion if isinstance(opinion, Score) else Score.of(combined(verdict.support, opinion))
            for verdict, opinion in zip(verdicts, opinions, strict=True)
        ]


def combined(support: float, opinion: Opinion) -> float:
    """Average two chances by their log-odds.

    Args:
        support: the verifier's chance of support, 0 to 1.
        opinion: the language model's; support stands against the rest.
    """
    mean = (_log_odds(support) + _log_odds(opinion.supports)) / 2.0
    return 1.0 / (1.0 + math.exp(-mean))


def _log_odds(chance: float) -> float:
    kept = min(max(chance, _LEAST_CHANCE), 1.0 - _LEAST_CHANCE)
    return math.log(kept / (1.0 - kept))


def shown_to_model(claim: str, passages: Sequence[Passage]) -> str:
    """Return the evidence that a language model is shown.

    Short evidence is shown whole; of long evidence the windows nearest to a claim.

    Their sentences are in the order of the evidence.
    """
    whole = " ".join(passage.text for passage in passages)
    nearest = sorted(
        (window for passage in passages for window in windows_of(claim, passage)),
        key=lambda window: -_held(claim, window),
    )
    if len(whole.split()) <= _MOST_WORDS_SHOWN or not nearest:
        return " ".join(whole.split()[: 2 * _MOST_WORDS_SHOWN])
    positions = {passage: number for number, passage in enumerate(passages)}
    chosen: dict[tuple[int, int], str] = {}
    words = 0
    for window in nearest:
        new = {(positions[window.passage], one.start): one.text for one in window.sentences}
        words += sum(len(text.split()) for position, text in new.items() if position not in chosen)
        if chosen and words > _MOST_WORDS_SHOWN:
            break
        chosen |= new
    return " ".join(chosen[position] for position in sorted(chosen))


def _held(claim: str, window: Window) -> float:
    """Return how much of a claim's words a window holds.

    Each word is weighed by its rarity.
    """
    return sum(map(idf, terms(claim) & terms(window.text)))
