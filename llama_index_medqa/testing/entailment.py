"""A deterministic stand-in for the verifier's model, without weights."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from llama_index_medqa.text.words import content_words
from llama_index_medqa.verification.entailment import Entailment

Script = Mapping[tuple[str, str], Entailment] | Callable[[str, str], Entailment]

_THRESHOLDS = {"strict": 0.9, "balanced": 0.7, "open": 0.5, "contradicted": 0.8}


def shared_words(premise: str, claim: str) -> Entailment:
    """Return the share of a claim's words in a premise as support.

    Nothing is contradicted.

    Words are compared by their stems, without function words. Who does what to whom, and "not", are not seen: enough
    to run a pipeline, and no measure of any text.
    """
    words = content_words(claim)
    share = len(words & content_words(premise)) / len(words) if words else 0.0
    return Entailment(share, 1.0 - share, 0.0)


class ScriptedEntailment:
    """Judges pairs by a script.

    Other pairs, and all without a script, by :func:`shared_words`.

    Give it to a verifier: ``ClaimVerifier(ScriptedEntailment())``.

    Args:
        script: chances by (a text that stands in the premise, the claim), of which the first that fits is taken; or a
            function of premise and claim.
        name: what its identity says; models with other scripts should have other names.
        thresholds: least chances, see :class:`EntailmentModel`; those that are not given are .9 (``strict``), .7
            (``balanced``), .5 (``open``) and .8 (``contradicted``).
    """

    def __init__(
        self, script: Script | None = None, *, name: str = "scripted", thresholds: Mapping[str, float] | None = None
    ) -> None:
        self._script: Script = {} if script is None else script
        self._pairs: list[tuple[str, str]] = []
        self.identity: Mapping[str, Any] = {"verifier": name, "version": 1}
        self.thresholds: Mapping[str, float] = {**_THRESHOLDS, **(thresholds or {})}

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Return all judged pairs (premise, claim), in order."""
        return list(self._pairs)

    def judge(self, pairs: Sequence[tuple[str, str]]) -> list[Entailment]:
        """Return the chances of each pair (premise, claim), in order."""
        self._pairs += pairs
        return [self._of(premise, claim) for premise, claim in pairs]

    def _of(self, premise: str, claim: str) -> Entailment:
        if callable(self._script):
            return self._script(premise, claim)
        scripted = (chances for (part, said), chances in self._script.items() if said == claim and part in premise)
        return next(scripted, None) or shared_words(premise, claim)
