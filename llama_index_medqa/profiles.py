"""Profiles: named sets of field values, one for each kind of machine."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

LlmKind = Literal["extractive", "local", "server"]
RetrievalMode = Literal["hybrid", "dense", "lexical"]
Policy = Literal["strict", "mark", "report"]

# Most chunks that a question may ask for: each is read, scored and looked through for evidence.
MOST_CHUNKS = 1_000


@dataclass(frozen=True, slots=True)
class Profile:
    """The values to index and answer with, unless an option differs.

    Attributes:
        name: what the user writes.
        description: one line, for the help.
        embedder: packaged weights, a model folder, or a model id on the Hugging Face hub; E5 or English BGE.
        follows_index: whether an index that was built with other packaged weights is opened with those.
        chunk_size: most tokens in a chunk.
        chunk_overlap: most tokens that a chunk shares with the one before.
        llm: ``local`` (llama.cpp), ``server`` (any OpenAI-compatible server) or ``extractive`` (no model).
        weights: for ``local``: packaged weights or a GGUF file.
        api_base: for ``server``: its address.
        base_model: for ``server``: name under which it lists the base model.
        adapter: LoRA adapter; None asks for the base model. For ``server`` the name under which it lists it, for
            ``local`` a folder that peft saved or a GGUF file.
        chat: whether the model has a chat template.
        manifest: manifest of the adapter, or the folder that holds it; None leaves it unproved, but for the folder of
            an adapter for ``local``, which holds its own.
        prompt_format: for ``server`` without a chat template: a name in ``prompts.PROMPT_FORMATS``.
        context_window: tokens of prompt and answer together.
        evidence_tokens: most tokens of evidence in a prompt; questions for lists and comparisons get twice as much.
        similarity_top_k: chunks to retrieve, of which the evidence is chosen.
        retrieval: search by meaning and words (``hybrid``), by meaning alone (``dense``) or words alone (``lexical``).
    """

    name: str
    description: str
    embedder: str
    llm: LlmKind
    weights: str = ""
    api_base: str = ""
    base_model: str = ""
    adapter: str | None = None
    chat: bool = True
    manifest: str | None = None
    prompt_format: str = "plain"
    chunk_size: int = 128
    chunk_overlap: int = 64
    context_window: int = 4096
    evidence_tokens: int = 1_200
    similarity_top_k: int = 24
    retrieval: RetrievalMode = "hybrid"
    follows_index: bool = True


EMBEDDED = Profile(
    name="embedded",
    description="no GPU, no model hub, no key: bge-small-en-v1.5 (int8) and Qwen2.5-Coder-1.5B on llama.cpp",
    embedder="bge-small-en-v1.5",
    llm="local",
    weights="qwen2.5-coder-1.5b-instruct",
    # About 75 tokens are read a second on two cores, so this is what the user waits for.
    evidence_tokens=300,
)

MISTRAL_7B = Profile(
    name="mistral7b",
    description="one GPU: e5-large-unsupervised on CUDA, Mistral-7B-v0.1 with a LoRA adapter on vLLM",
    embedder="intfloat/e5-large-unsupervised",
    llm="server",
    api_base="http://127.0.0.1:8000/v1",
    base_model="mistralai/Mistral-7B-v0.1",
    adapter="medqa",
    chat=False,
)

PROFILES: Mapping[str, Profile] = MappingProxyType({profile.name: profile for profile in (EMBEDDED, MISTRAL_7B)})
