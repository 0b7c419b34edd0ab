"""The verifier that decides in the query engine, as a judge."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from llama_index.core.schema import NodeWithScore, TextNode

from llama_index_medqa.evaluation.score import Score
from llama_index_medqa.verification.passages import Passage, passages_of
from llama_index_medqa.verification.verdicts import AnswerSentence
from llama_index_medqa.verification.verifier import ClaimVerifier, Verifier

NAME = "verifier"
# Two verifiers that differ in these only stand on the same model.
_SETTINGS = frozenset({"checks", "strictness"})
_OWN_WORK = "judged {}by the verifier that also decided in the engine: the system marked its own work{}"


class VerifierJudge:
    """Calls a claim supported where the verifier does. Deterministic; needs no language model, network or key.

    Args:
        verifier: what decides; None takes the :class:`ClaimVerifier` of the package.
    """

    name = NAME

    def __init__(self, verifier: Verifier | None = None) -> None:
        self._verifier: Verifier = verifier or ClaimVerifier()

    @property
    def identity(self) -> Mapping[str, Any]:
        """That of the verifier, its model's version and hash among it."""
        return {**self._verifier.identity, "judge": self.name}

    async def score_all(self, claims: Sequence[str], evidence: Sequence[str]) -> list[Score]:
        """1 for each claim whose verdict is "supported", 0 for any other."""
        return [Score.of(one.supported) for one in await verified(self._verifier, claims, evidence)]

    async def chances(self, claims: Sequence[str], evidence: Sequence[str]) -> list[Score]:
        """Return the verifier's chance that the evidence supports each claim."""
        return [Score.of(one.support) for one in await verified(self._verifier, claims, evidence)]


async def verified(verifier: Verifier, claims: Sequence[str], evidence: Sequence[str]) -> list[AnswerSentence]:
    """Return the verdict on each claim, in order, without blocking the event loop."""
    return await asyncio.to_thread(verifier.verify, claims, passages_from(evidence))


def passages_from(evidence: Sequence[str]) -> list[Passage]:
    """Return texts as evidence, each a record of its own."""
    nodes = [
        NodeWithScore(node=TextNode(id_=str(place), text=text, start_char_idx=0)) for place, text in enumerate(evidence)
    ]
    return passages_of(nodes)


def own_work(judge: Mapping[str, Any], decided: Mapping[str, Any]) -> str:
    """Tell in a line where a judge stands on the verifier that decided in the system too; empty where it does not.

    Args:
        judge: identity of the judge.
        decided: identity of the verifier that decided which sentences the system said.
    """
    if judge.get("judge") == NAME:
        alone = {key: value for key, value in judge.items() if key != "judge"}
        return _OWN_WORK.format("", "") if _model_of(alone) == _model_of(decided) else ""
    # A judge that asks a verifier among others carries the verifier's identity within its own.
    among = judge.get("verifier")
    if isinstance(among, Mapping) and _model_of(among) == _model_of(decided):
        return _OWN_WORK.format("in part ", " in part")
    return ""


def _model_of(verifier: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in verifier.items() if key not in _SETTINGS}
