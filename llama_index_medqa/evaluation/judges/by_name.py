"""The judges by their names, as the commands take them."""

from dataclasses import dataclass

from llama_index.core.base.embeddings.base import BaseEmbedding

from llama_index_medqa.errors import InputError
from llama_index_medqa.evaluation.judges import Judge
from llama_index_medqa.evaluation.judges.attribution import AttributionJudge
from llama_index_medqa.evaluation.judges.language_model import LogOddsJudge, VerdictJudge
from llama_index_medqa.evaluation.judges.offline import OfflineJudge
from llama_index_medqa.evaluation.model_calls import ModelCalls


@dataclass(frozen=True)
class Needs:
    """What a judge is made of.

    Attributes:
        model: whether it asks a language model.
        embedder: whether it compares sentences by meaning.
    """

    model: bool = False
    embedder: bool = False


JUDGES = {
    "attribution": Needs(),
    "offline": Needs(model=True, embedder=True),
    "offline-without-model": Needs(embedder=True),
    "log-odds": Needs(model=True),
    "verdict": Needs(model=True),
}


def needs_of(name: str) -> Needs:
    """What a judge is made of.

    Raises:
        InputError: there is no such judge.
    """
    if name not in JUDGES:
        raise InputError(f"There is no judge {name!r}: choose {', '.join(JUDGES)}.")
    return JUDGES[name]


def judge_of(name: str, calls: ModelCalls | None = None, embedder: BaseEmbedding | None = None) -> Judge:
    """A judge by its name.

    Args:
        name: one of :data:`JUDGES`.
        calls: asks its language model.
        embedder: the embedded profile's.

    Raises:
        InputError: there is no such judge, or it needs what is not given.
    """
    needs = needs_of(name)
    match name:
        case "attribution":
            return AttributionJudge()
        case "log-odds" if calls:
            return LogOddsJudge(calls)
        case "verdict" if calls:
            return VerdictJudge(calls)
        case "offline" if calls and embedder:
            return OfflineJudge(embedder, LogOddsJudge(calls))
        case "offline-without-model" if embedder:
            return OfflineJudge(embedder)
    parts = [*(["a language model"] if needs.model else []), *(["an embedder"] if needs.embedder else [])]
    raise InputError(f"The judge {name!r} needs {' and '.join(parts)}.")
