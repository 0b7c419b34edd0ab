"""The query engine's verifier as a judge."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from llama_index.core.schema import NodeWithScore, TextNode

from llama_index_medqa.evaluation.score import Score
from llama_index_medqa.verification.passages import Passage, passages_of
from llama_index_medqa.verification.verdicts import AnswerSentence, Verdict
from llama_index_medqa.verification.verifier import ClaimVerifier, Verifier

NAME = "verifier"
# Two verifiers that differ in these only stand on the same model.
_SETTINGS = frozenset({"checks", "strictness"})
# The verifier keeps a share of the chance beside them, to rank claims; a judge takes none.
_CHECKS = frozenset({"quantity", "entity"})
_OWN_WORK = "judged {}by the verifier that also decided in the engine: the system marked its own work{}"


class VerifierJudge:
    """A judge by the verifier's verdict.

    It is deterministic and needs no language model, network or key.

    Args:
        verifier: what decides; None takes the :class:`ClaimVerifier` of the package.
    """

    name = NAME

    def __init__(self, verifier: Verifier | None = None) -> None:
        self._verifier: Verifier = verifier or ClaimVerifier()

    @property
    def identity(self) -> Mapping[str, Any]:
        """Return the verifier's identity.

        It has the version and the hash of its model.
        """
        return {**self._verifier.identity, "judge": self.name}

    async def score_all(self, claims: Sequence[str], evidence: Sequence[str]) -> list[Score]:
        """Score claims 1 if the verdict is "supported", else 0."""
        return [Score.of(one.supported) for one in await verified(self._verifier, claims, evidence)]

    async def verdicts(self, claims: Sequence[str], evidence: Sequence[str]) -> list[Verdict]:
        """Return the verifier's verdicts."""
        return [one.verdict for one in await verified(self._verifier, claims, evidence)]

    async def chances(self, claims: Sequence[str], evidence: Sequence[str]) -> list[Score]:
        """Return the verifier's chance that the evidence supports each claim; 0 where an exact check failed."""
        return [
            Score.of(0.0 if any(finding.kind in _CHECKS for finding in one.findings) else one.support)
            for one in await verified(self._verifier, claims, evidence)
        ]


async def verified(verifier: Verifier, claims: Sequence[str], evidence: Sequence[str]) -> list[AnswerSentence]:
    """Verify claims without blocking the event loop.

    Verdicts are in the order of the claims.
    """
    return await asyncio.to_thread(verifier.verify, claims, passages_from(evidence))


def passages_from(evidence: Sequence[str]) -> list[Passage]:
    """Return texts as evidence, each a record of its own."""
    nodes = [
        NodeWithScore(node=TextNode(id_=str(number), text=text, start_char_idx=0))
        for number, text in enumerate(evidence)
    ]
    return passages_of(nodes)


def own_work(judge: Mapping[str, Any], decided: Mapping[str, Any]) -> str:
    """Describe a judge that shares the system's verifier.

    Empty where the judge is independent of it.

    Args:
        judge: identity of the judge.
        decided: identity of the verifier that decided which sentences the system kept.
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
