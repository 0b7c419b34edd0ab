"""What the commands of ``medqa`` share: options, the profile that they name, the terminal."""

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, cast, get_args

import typer

from llama_index_medqa.errors import UsageError
from llama_index_medqa.profiles import PROFILES, LlmKind, Profile, RetrievalMode
from llama_index_medqa.text.printable import printable_json
from llama_index_medqa.verification.verdicts import Strictness

if TYPE_CHECKING:
    from llama_index_medqa.cli.display.terminal import Terminal

IndexOption = Annotated[
    str,
    typer.Option("--index", envvar="MEDQA_INDEX", help="Folder of the index, or http://HOST:PORT of a Chroma server."),
]
ProfileOption = Annotated[str, typer.Option("--profile", envvar="MEDQA_PROFILE", help=f"{' or '.join(PROFILES)}.")]
EmbedderOption = Annotated[
    str | None,
    typer.Option(
        help="E5 or English BGE model: packaged weights, a model folder or a hub id. By default that of an existing "
        "index, else the profile's."
    ),
]
WaitOption = Annotated[
    bool, typer.Option("--wait/--no-wait", help="Whether to wait for another process that writes to the index.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object to standard output.")]
LlmOption = Annotated[
    str | None,
    typer.Option(help="local (llama.cpp), server (see --api-base) or extractive (quotes, no model)."),
]
StrictnessOption = Annotated[
    str,
    typer.Option(help="How sure the verifier must be that a text supports a sentence: strict, balanced or open."),
]
WeightsOption = Annotated[str | None, typer.Option(help="GGUF file for --llm local, in place of the packaged weights.")]
WeightsHashOption = Annotated[
    str | None, typer.Option("--weights-sha256", help="Expected SHA-256 of --weights, when it is another model.")
]


def terminal_for(as_json: bool) -> "Terminal":
    """The terminal of a command; quiet where the answer is JSON."""
    from llama_index_medqa.cli.display.terminal import Terminal

    return Terminal(quiet=as_json)


def chosen_profile(name: str, **overrides: Any) -> Profile:
    """A profile by name, with other values where they are not None.

    Raises:
        UsageError: there is no such profile, or no such kind of model or retrieval.
    """
    if name not in PROFILES:
        raise UsageError(f"There is no profile {name!r}: choose {' or '.join(PROFILES)}.")
    for option, kinds in (("llm", get_args(LlmKind)), ("retrieval", get_args(RetrievalMode))):
        if overrides.get(option) not in (None, *kinds):
            raise UsageError(f"--{option} cannot be {overrides[option]!r}: choose {', '.join(kinds)}.")
    given = {key: value for key, value in overrides.items() if value is not None}
    return replace(PROFILES[name], follows_index="embedder" not in given, **given)


def chosen_strictness(name: str) -> Strictness:
    """A strictness by name.

    Raises:
        UsageError: there is no such strictness.
    """
    if name not in get_args(Strictness):
        raise UsageError(f"--strictness cannot be {name!r}: choose {', '.join(get_args(Strictness))}.")
    return cast("Strictness", name)


def require_index(folder: str) -> None:
    """Tells of a missing index before a model is loaded."""
    from llama_index_medqa.vector_store.store import PubMedVectorStore

    PubMedVectorStore.at(folder, create=False)


def print_json(data: dict[str, Any] | list[dict[str, Any]]) -> None:
    """Writes a command's answer to standard output."""
    sys.stdout.write(printable_json(data) + "\n")
