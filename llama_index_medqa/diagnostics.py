"""The checks of ``medqa doctor``: what a profile needs, and how to get it."""

import importlib.metadata
import importlib.util
import platform
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from llama_index_medqa._common.counts import counted
from llama_index_medqa.errors import MedQAError
from llama_index_medqa.llms.adapter_manifest import check_adapter
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
    "openvino": "openvino",
    "local": "xllamacpp",
    "server": "fastapi",
    "chat": "prompt_toolkit",
    "milvus": "pymilvus",
    "adapter": "peft",
    "eval": "ragas",
    "train": "llamafactory",
    "verifier": "sklearn",
    "data": "rensa",
    "ray": "ray",
    "speed": "isal",
}
_GIGABYTE = 1e9
_HASH_CHARACTERS = 12


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The result of one check.

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


def examine(profile: Profile, index: str, *, api_key: str | None = None) -> Iterator[Diagnosis]:
    """Check everything that a profile needs.

    Nothing is written or fetched.

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
        if profile.adapter:
            yield _asked("adapter", lambda: _local_adapter(profile))[1]
    yield from _index(index)
    if profile.llm == "server":
        yield from _server(profile, api_key)


def _versions() -> Diagnosis:
    names = ("llama-index-medqa", "llama-index-core", "chromadb")
    shown = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in names)
    return Diagnosis("versions", "ok", f"Python {platform.python_version()}, {shown}")


def _extras(profile: Profile) -> Iterator[Diagnosis]:
    """Check the extras, and yield those that the profile misses."""
    there = [name for name, module in _EXTRAS.items() if importlib.util.find_spec(module)]
    yield Diagnosis("extras", "ok" if there else "note", ", ".join(there) or "none")
    needed = [] if _runs_on_onnx(profile.embedder) else ["embeddings"]
    for name in (*needed, *(["local"] if profile.llm == "local" else [])):
        if name not in there:
            # Of a package that is installed, pip takes the extra without asking where it is published.
            fix = f'pip install "llama-index-medqa[{name}]"'
            yield Diagnosis("extras", "wrong", f"the profile {profile.name!r} needs the extra {name!r}", fix)


def _runs_on_onnx(embedder: str) -> bool:
    """Return whether an embedder runs on what every installation has."""
    return embedder in PACKAGED and PACKAGED[embedder].kind == "bge"


def _device() -> Diagnosis:
    if importlib.util.find_spec("torch") is None:
        return Diagnosis("device", "note", "torch is not installed")
    import torch

    if torch.cuda.is_available():
        return Diagnosis("device", "ok", f"torch {torch.__version__} on {torch.cuda.get_device_name()}")
    return Diagnosis("device", "ok", f"torch {torch.__version__} on the CPU, {torch.get_num_threads()} threads")


def _cache() -> Diagnosis:
    folder = cache_dir()
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(existing).free / _GIGABYTE
    return Diagnosis("cache", "ok", f"{folder}, {free:.0f} GB free")


def _verifier() -> str:
    card = checked_card()
    return f"{card['name']} {card['version']}, sha256 {card['sha256'][:_HASH_CHARACTERS]}… as its card says"


def _weights(name: str, wanted: str) -> Diagnosis:
    if wanted in PACKAGED:
        weights = PACKAGED[wanted]
        path = cached(wanted)
        if path is not None:
            return Diagnosis(name, "ok", f"{wanted} in {path}")
        size = sum(item.size for item in weights.distributions) / _GIGABYTE
        return Diagnosis(name, "note", f"{wanted} is fetched at first use: {size:.1f} GB")
    if Path(wanted).exists():
        return Diagnosis(name, "ok", f"{wanted} (a local path)")
    return Diagnosis(name, "note", f"{wanted} is taken from the Hugging Face hub or its cache at first use")


def _index(folder: str) -> Iterator[Diagnosis]:
    """Check the index, and that every chunk has its vector."""
    from llama_index_medqa.vector_store.client import is_folder

    if is_folder(folder) and not Path(folder).is_dir():
        yield Diagnosis("index", "note", f"none in {folder}", "medqa index FILES, or give --index")
        return
    from llama_index_medqa.indexing.info import describe
    from llama_index_medqa.vector_store.addresses import open_store

    try:
        store = open_store(folder, create=False)
        found = describe(store)
        lacking = len(store.without_vectors(store.ids()))
    except MedQAError as error:
        yield Diagnosis("index", "wrong", *_happened_and_fix(error))
        return
    day = f"as of {found.as_of.isoformat()}" if found.as_of else "of an unknown day"
    embedder = Path(str(found.identity.get("embedder", "unknown"))).name
    value = f"{folder}: {counted(found.documents, 'record')}, {counted(found.chunks, 'chunk')} by {embedder}, {day}"
    yield Diagnosis("index", "ok" if found.documents else "note", value, "" if found.documents else "medqa index FILES")
    if lacking:
        lost = f"{lacking} of {counted(found.chunks, 'chunk')} without a vector: a search by meaning does not find them"
        yield Diagnosis("vectors", "wrong", lost, f"medqa doctor --repair --index {folder}")
    elif found.chunks:
        yield Diagnosis("vectors", "ok", f"all {found.chunks} chunks have theirs")


def _local_adapter(profile: Profile) -> str:
    manifest = check_adapter(profile.manifest or str(profile.adapter))
    return f"that of its manifest, for {manifest.base_model}; it is proved before its first answer"


def _server(profile: Profile, api_key: str | None) -> Iterator[Diagnosis]:
    """Check the language-model server, and the proof of its adapter."""
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
        yield Diagnosis(f"adapter: {check.name}", "ok", check.detail)
    if llm[0].gap:
        happened, _, fix = llm[0].gap.partition(". ")
        yield Diagnosis("adapter: manifest", "note", happened, fix)


def _listing(api: ServerApi) -> str:
    cards = api.models()
    return ", ".join(f"{card.name!r}" + (" (adapter)" if card.parent else "") for card in cards) or "nothing"


def _asked(name: str, question: Callable[[], str]) -> tuple[bool, Diagnosis]:
    try:
        return True, Diagnosis(name, "ok", question())
    except MedQAError as error:
        return False, Diagnosis(name, "wrong", *_happened_and_fix(error))


def _happened_and_fix(error: MedQAError) -> tuple[str, str]:
    """Split an error's message into what happened and what to do.

    Our messages end with what to do.
    """
    happened, separator, fix = str(error).partition(". ")
    return (happened, fix) if separator else (str(error), "")
