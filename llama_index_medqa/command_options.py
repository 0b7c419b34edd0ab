"""What the commands of ``medqa`` share: options, the profile that they name, the terminal."""

import json
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from llama_index_medqa.errors import InputError
from llama_index_medqa.profiles import PROFILES, LlmKind, Profile, RetrievalMode

if TYPE_CHECKING:
    from llama_index_medqa.terminal import Terminal

IndexOption = Annotated[
    str,
    typer.Option("--index", envvar="MEDQA_INDEX", help="Folder of the index, or http://HOST:PORT of a Chroma server."),
]
ProfileOption = Annotated[str, typer.Option("--profile", envvar="MEDQA_PROFILE", help=f"{' or '.join(PROFILES)}.")]
EmbedderOption = Annotated[
    str | None, typer.Option(help="E5 model: packaged weights, a model folder or a hub id, in place of the profile's.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object to standard output.")]
LlmOption = Annotated[
    str | None,
    typer.Option(help="local (llama.cpp), server (see --api-base) or extractive (quotes, no model)."),
]
WeightsOption = Annotated[str | None, typer.Option(help="GGUF file for --llm local, in place of the packaged weights.")]
WeightsHashOption = Annotated[
    str | None, typer.Option("--weights-sha256", help="Expected SHA-256 of --weights, when it is another model.")
]


def terminal_for(as_json: bool) -> "Terminal":
    """The terminal of a command; quiet where the answer is JSON."""
    from llama_index_medqa.terminal import Terminal

    return Terminal(quiet=as_json)


def chosen_profile(name: str, **overrides: Any) -> Profile:
    """A profile by name, with other values where they are not None.

    Raises:
        InputError: there is no such profile, or no such kind of model or retrieval.
    """
    if name not in PROFILES:
        raise InputError(f"There is no profile {name!r}: choose {' or '.join(PROFILES)}.")
    for option, kinds in (("llm", get_args(LlmKind)), ("retrieval", get_args(RetrievalMode))):
        if overrides.get(option) not in (None, *kinds):
            raise InputError(f"--{option} cannot be {overrides[option]!r}: choose {', '.join(kinds)}.")
    return replace(PROFILES[name], **{key: value for key, value in overrides.items() if value is not None})


def require_index(folder: str) -> None:
    """Tells of a missing index before a model is loaded."""
    from llama_index_medqa.vector_store import PubMedVectorStore

    PubMedVectorStore.at(folder, create=False)


def print_json(data: dict[str, Any] | list[dict[str, Any]]) -> None:
    """Writes a command's answer to standard output."""
    sys.stdout.write(json.dumps(data, ensure_ascii=False, indent=2) + "\n")
