"""The models of the experiment: vLLM with all adapters, the reference on llama.cpp, and none."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from llama_index.llms.openai_like import OpenAILike

from benchmarks.common.ports import free_port
from benchmarks.experiment.asking import TIMEOUT
from benchmarks.experiment.design import Cell, Kind, Setup
from llama_index_medqa import VllmLora
from llama_index_medqa.answering.drafting import EXTRACTIVE
from llama_index_medqa.components import DraftingModel, open_drafter
from llama_index_medqa.llms.adapter_manifest import read_manifest
from llama_index_medqa.llms.vllm_api import ServerApi
from llama_index_medqa.prompts import CHAT
from llama_index_medqa.serving.vllm_process import VllmProcess, VllmSettings, lora_rank
from llama_index_medqa.weights import locate

_BASE = "base"


@contextmanager
def models(setup: Setup, kind: Kind, reference_at: str | None = None) -> Iterator[Callable[[Cell], DraftingModel]]:
    """Yield what makes the drafters of one kind of subject.

    As long as their server runs.

    Args:
        setup: with what.
        kind: of subject.
        reference_at: address of an OpenAI-compatible server of the reference model; None starts llama.cpp.
    """
    if kind == "served":
        with VllmProcess(server_settings(setup), environment=setup.environment) as server:
            yield lambda cell: _served(setup, cell, server.api_base)
    elif kind == "local":
        with _reference(setup, reference_at) as model:
            yield lambda cell: model.model_copy(update={"max_tokens": cell.task.max_tokens})
    else:
        yield lambda _cell: EXTRACTIVE


def server_settings(setup: Setup) -> VllmSettings:
    """Return the settings of the server with all adapters."""
    base = setup.base if "/" in setup.base else str(locate(setup.base))
    adapters = {_served_name(name): str(folder) for name, folder in setup.adapters.items()}
    return VllmSettings(
        model=base,
        adapters=adapters,
        served_model_name=_BASE,
        port=free_port(),
        max_lora_rank=lora_rank(adapters),
        max_loras=len(adapters),
        **setup.serving,
    )


def _served_name(subject: str) -> str:
    return subject.replace(" ", "-")


def _served(setup: Setup, cell: Cell, api_base: str) -> VllmLora:
    adapter = cell.subject.adapter
    return VllmLora(
        _BASE,
        _served_name(cell.subject.name) if adapter else None,
        api_base=api_base,
        manifest=str(adapter) if adapter else None,
        # All cells are asked with the same prompts: those of an adapter's training only where they are the same.
        prompt_hash=read_manifest(adapter).prompt_hash if adapter else "",
        is_chat_model=setup.prompt_format == CHAT,
        **({} if setup.prompt_format == CHAT else {"prompt_format": setup.prompt_format}),
        max_tokens=cell.task.max_tokens,
        timeout=TIMEOUT,
        additional_kwargs={"structured_outputs": {"choice": cell.task.choices}} if cell.task.choices else {},
    )


@contextmanager
def _reference(setup: Setup, address: str | None) -> Iterator[OpenAILike]:
    if address is None:
        with open_drafter(setup.reference) as model:
            assert isinstance(model, OpenAILike)  # what a local model is
            yield model
        return
    [card] = ServerApi(address).models()
    yield OpenAILike(
        model=card.name,
        api_base=address,
        api_key="none",
        is_chat_model=True,
        context_window=setup.reference.context_window,
        temperature=0.0,
        timeout=TIMEOUT,
        additional_kwargs={"stream_options": {"include_usage": True}},
    )
