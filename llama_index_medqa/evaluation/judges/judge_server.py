"""The judge's language model: a server's, or the profile's own weights."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from llama_index_medqa.errors import UsageError
from llama_index_medqa.evaluation.judges.model_calls import JudgeServer
from llama_index_medqa.llms.vllm_api import served_name
from llama_index_medqa.profiles import Profile
from llama_index_medqa.serving.llama_cpp_process import LlamaCppServer, require_llama_cpp
from llama_index_medqa.weights import PACKAGED
from llama_index_medqa.weights.fetch import Progress
from llama_index_medqa.weights.store import locate

JUDGE_API_KEY_VARIABLE = "MEDQA_JUDGE_API_KEY"


@contextmanager
def open_judge(
    profile: Profile,
    *,
    api_base: str | None = None,
    model: str | None = None,
    parallel: int = 1,
    progress: Progress | None = None,
) -> Iterator[JudgeServer]:
    """Open the model that judges for a ``with`` block.

    It is a server's, or else made of the profile's own weights.

    Args:
        profile: whose weights llama.cpp serves where no address is given.
        api_base: address of an OpenAI-compatible server; its key is taken from ``MEDQA_JUDGE_API_KEY``.
        model: name under which it serves the model; None takes the only one that it serves.
        parallel: requests that llama.cpp works on at the same time.
        progress: see :func:`llama_index_medqa.weights.locate`.

    Raises:
        UsageError: there is no address, and the profile has no weights.
        ServerError: the server does not answer, or does not serve the model.
        MissingExtraError: llama.cpp is needed and not installed.
        WeightsError: the weights are missing or have another hash.
    """
    if api_base:
        api_key = os.environ.get(JUDGE_API_KEY_VARIABLE)
        yield JudgeServer(api_base, served_name(api_base, api_key, model, "--judge-model"), api_key)
        return
    require_judge_weights(profile)
    require_llama_cpp()
    path = locate(profile.weights, progress=progress)
    more = {"weights": PACKAGED[profile.weights].sha256[:16]} if profile.weights in PACKAGED else {}
    with LlamaCppServer(path, profile.context_window, parallel=parallel, model=Path(profile.weights).name) as server:
        yield JudgeServer(server.api_base, server.model, more=more)


def require_judge_weights(profile: Profile) -> None:
    """Raise if a profile has no model to judge with.

    Raises:
        UsageError: it has none.
    """
    if not profile.weights:
        raise UsageError(f"The profile {profile.name!r} has no weights to judge with: give --judge-api-base.")
