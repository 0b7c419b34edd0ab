"""Judges by name, as the commands take them."""

from llama_index_medqa.errors import UsageError
from llama_index_medqa.evaluation.judges import Judge
from llama_index_medqa.evaluation.judges.language_model import LogOddsJudge, VerdictJudge
from llama_index_medqa.evaluation.judges.model_calls import ModelCalls
from llama_index_medqa.evaluation.judges.offline import OfflineJudge
from llama_index_medqa.evaluation.judges.verifier import VerifierJudge
from llama_index_medqa.verification.verifier import Verifier

JUDGES = ("verifier", "offline", "log-odds", "verdict")
# What judged by words in earlier versions, and what takes its place.
_REPLACED = {"attribution": "verifier", "offline-without-model": "verifier"}


def asks_model(name: str) -> bool:
    """Return whether a judge asks a language model.

    Raises:
        UsageError: there is no such judge.
    """
    if name in _REPLACED:
        raise UsageError(f"The judge {name!r} is no more: choose {_REPLACED[name]!r}, which took its place.")
    if name not in JUDGES:
        raise UsageError(f"There is no judge {name!r}: choose {', '.join(JUDGES)}.")
    return name != "verifier"


def judge_of(name: str, calls: ModelCalls | None = None, verifier: Verifier | None = None) -> Judge:
    """Return a judge by its name.

    Args:
        name: one of :data:`JUDGES`.
        calls: asks its language model.
        verifier: what decides in ``verifier`` and ``offline``; None takes the one of the package.

    Raises:
        UsageError: there is no such judge, or it needs a language model and none is given.
    """
    if not asks_model(name):
        return VerifierJudge(verifier)
    if calls is None:
        raise UsageError(f"The judge {name!r} needs a language model.")
    match name:
        case "offline":
            return OfflineJudge(LogOddsJudge(calls), verifier)
        case "log-odds":
            return LogOddsJudge(calls)
        case _:
            return VerdictJudge(calls)
