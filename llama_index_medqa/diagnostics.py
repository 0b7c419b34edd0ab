"""What ``medqa doctor`` looks at: whether all that a profile needs is there, and what to do where it is not."""

import importlib.metadata
import importlib.util
import platform
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from llama_index_medqa.errors import MedQAError
from llama_index_medqa.llms.adapter_proof import AdapterProof
from llama_index_medqa.llms.vllm_api import ServerApi
from llama_index_medqa.llms.vllm_lora import VllmLora
from llama_index_medqa.profiles import Profile
from llama_index_medqa.redaction import redacted
from llama_index_medqa.verification.entailment import checked_card
from llama_index_medqa.weights import PACKAGED, cache_dir, cached

State = Literal["ok", "note", "wrong"]

# What of each extra tells that it is installed.
_EXTRAS = {
    "embeddings": "sentence_transformers",
    "local": "xllamacpp",
    "adapter": "peft",
    "eval": "ragas",
    "train": "llamafactory",
    "ray": "ray",
    "speed": "isal",
}
_GIGABYTE = 1e9
_HASH_CHARACTERS = 12


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        name: what was looked at.
        state: ``ok``; ``note`` for what may be meant so; ``wrong`` for what the profile cannot do without.
        value: what was seen.
        fix: what to type or do; empty where nothing is to be done.
    """

    name: str
    state: State
    value: str
    fix: str = ""


def examine(profile: Profile, index: str, *, api_key: str | None = None) -> Iterator[Finding]:
    """Looks at everything that a profile needs; reads only, and fetches nothing.

    Args:
        profile: names the parts.
        index: folder of the index.
        api_key: key of the language-model server.
    """
    yield _versions()
    yield from _extras(profile)
    yield _device()
    yield _cache()
    yield _asked("verifier", _verifier)[1]
    yield _weights("embedder", profile.embedder)
    if profile.llm == "local":
        yield _weights("language model", profile.weights)
    yield from _index(index)
    if profile.llm == "server":
        yield from _server(profile, api_key)


def _versions() -> Finding:
    names = ("llama-index-medqa", "llama-index-core", "chromadb")
    shown = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in names)
    return Finding("versions", "ok", f"Python {platform.python_version()}, {shown}")


def _extras(profile: Profile) -> Iterator[Finding]:
    """The extras that are there, and those that the profile misses."""
    there = [name for name, module in _EXTRAS.items() if importlib.util.find_spec(module)]
    yield Finding("extras", "ok" if there else "note", ", ".join(there) or "none")
    for name in ("embeddings", *(["local"] if profile.llm == "local" else [])):
        if name not in there:
            fix = f'pip install "llama-index-medqa[{name}]"'
            yield Finding("extras", "wrong", f"the profile {profile.name!r} needs the extra {name!r}", fix)


def _device() -> Finding:
    if importlib.util.find_spec("torch") is None:
        return Finding("device", "note", "torch is not installed")
    import torch

    if torch.cuda.is_available():
        return Finding("device", "ok", f"torch {torch.__version__} on {torch.cuda.get_device_name()}")
    return Finding("device", "ok", f"torch {torch.__version__} on the CPU, {torch.get_num_threads()} threads")


def _cache() -> Finding:
    folder = cache_dir()
    existing = next(place for place in (folder, *folder.parents) if place.exists())
    free = shutil.disk_usage(existing).free / _GIGABYTE
    return Finding("cache", "ok", f"{folder}, {free:.0f} GB free")


def _verifier() -> str:
    card = checked_card()
    return f"{card['name']} {card['version']}, sha256 {card['sha256'][:_HASH_CHARACTERS]}… as its card says"


def _weights(name: str, wanted: str) -> Finding:
    if wanted in PACKAGED:
        weights = PACKAGED[wanted]
        place = cached(wanted)
        if place is not None:
            return Finding(name, "ok", f"{wanted} in {place}")
        size = sum(item.size for item in weights.distributions) / _GIGABYTE
        return Finding(name, "note", f"{wanted} is fetched at first use: {size:.1f} GB")
    if Path(wanted).exists():
        return Finding(name, "ok", f"{wanted} (a local path)")
    return Finding(name, "note", f"{wanted} is taken from the Hugging Face hub or its cache at first use")


def _index(folder: str) -> Iterator[Finding]:
    """The index, and whether every chunk of it has its vector."""
    if not Path(folder).is_dir():
        yield Finding("index", "note", f"none in {folder}", "medqa index FILES, or give --index")
        return
    from llama_index_medqa.indexing.info import describe
    from llama_index_medqa.vector_store.store import PubMedVectorStore

    try:
        store = PubMedVectorStore(persist_dir=folder, create=False)
        found = describe(store)
        lacking = len(store.without_vectors(store.ids()))
    except MedQAError as error:
        yield Finding("index", "wrong", *_told(error))
        return
    day = f"as of {found.as_of.isoformat()}" if found.as_of else "of an unknown day"
    embedder = Path(str(found.identity.get("embedder", "unknown"))).name
    value = f"{folder}: {found.documents} records, {found.chunks} chunks by {embedder}, {day}"
    yield Finding("index", "ok" if found.documents else "note", value, "" if found.documents else "medqa index FILES")
    if lacking:
        told = f"{lacking} of {found.chunks} chunks have lost their vectors: a search by meaning does not find them"
        yield Finding("vectors", "wrong", told, f"medqa doctor --repair --index {folder}")
    elif found.chunks:
        yield Finding("vectors", "ok", f"all {found.chunks} chunks have theirs")


def _server(profile: Profile, api_key: str | None) -> Iterator[Finding]:
    """The language-model server, and the proof that the adapter answers."""
    api = ServerApi(profile.api_base, api_key=api_key)
    served, finding = _asked("server", lambda: f"{redacted(profile.api_base)} serves {_listing(api)}")
    yield finding
    if not served or not profile.adapter:
        return
    llm: list[AdapterProof] = []

    def verify() -> str:
        model = VllmLora(
            profile.base_model,
            profile.adapter,
            api_base=profile.api_base,
            api_key=api_key,
            manifest=profile.manifest,
            is_chat_model=profile.chat,
            prompt_format=profile.prompt_format,
        )
        llm.append(model.verify())
        return f"{profile.adapter!r} answers"

    _, finding = _asked("adapter", verify)
    if not llm:
        yield finding
        return
    for check in llm[0].checks:
        yield Finding(f"adapter: {check.name}", "ok", check.detail)
    if llm[0].gap:
        happened, _, fix = llm[0].gap.partition(". ")
        yield Finding("adapter: manifest", "note", happened, fix)


def _listing(api: ServerApi) -> str:
    cards = api.models()
    return ", ".join(f"{card.name!r}" + (" (adapter)" if card.parent else "") for card in cards) or "nothing"


def _asked(name: str, question: Callable[[], str]) -> tuple[bool, Finding]:
    try:
        return True, Finding(name, "ok", question())
    except MedQAError as error:
        return False, Finding(name, "wrong", *_told(error))


def _told(error: MedQAError) -> tuple[str, str]:
    """What happened, and what to do: our messages end with it."""
    happened, separator, fix = str(error).partition(". ")
    return (happened, fix) if separator else (str(error), "")
