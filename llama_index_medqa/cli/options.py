"""Options, exit codes, profile and terminal that the commands share."""

import logging
import sys
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, cast, get_args

import typer

from llama_index_medqa.errors import UsageError
from llama_index_medqa.profiles import MOST_CHUNKS, PROFILES, LlmKind, Policy, Profile, RetrievalMode
from llama_index_medqa.redaction import redacted
from llama_index_medqa.text.printable import PrintableFormatter, printable_json
from llama_index_medqa.verification.verdicts import Strictness

if TYPE_CHECKING:
    from llama_index_medqa.cli.display.terminal import Terminal

EXIT_DONE = 0
"""Everything was done, also where the outcome is that there is no answer."""
EXIT_FAILED = 1
"""An error, in one line; or what was asked is not so: a gate failed, a sentence lacks support."""
EXIT_MISUSED = 2
"""The command was misused; as its own parser ends where an option does not exist."""
EXIT_INCOMPLETE = 3
"""Some of the questions, lines or records failed; all others are done."""


def _among(*values: str) -> Callable[[], list[str]]:
    """Return what a shell completes a value to."""
    return lambda: list(values)


IndexOption = Annotated[
    str,
    typer.Option(
        "--index",
        envvar="MEDQA_INDEX",
        help="Folder of the index, or address: http://HOST:PORT (Chroma), milvus://HOST:PORT, milvus:FILE.db.",
    ),
]
ProfileOption = Annotated[
    str,
    typer.Option(
        "--profile", envvar="MEDQA_PROFILE", help=f"{' or '.join(PROFILES)}.", autocompletion=_among(*PROFILES)
    ),
]
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
    typer.Option(
        help="local (llama.cpp), server (see --api-base) or extractive (quotes, no model).",
        autocompletion=_among(*get_args(LlmKind)),
    ),
]
StrictnessOption = Annotated[
    str,
    typer.Option(
        help="How sure the verifier must be that a text supports a sentence: strict, balanced or open.",
        autocompletion=_among(*get_args(Strictness)),
    ),
]
WeightsOption = Annotated[str | None, typer.Option(help="GGUF file for --llm local, in place of the packaged weights.")]
WeightsHashOption = Annotated[
    str | None, typer.Option("--weights-sha256", help="Expected SHA-256 of --weights, when it is another model.")
]
ApiBaseOption = Annotated[str | None, typer.Option(help="Address of an OpenAI-compatible server, with /v1.")]
ModelOption = Annotated[str | None, typer.Option(help="Name under which that server lists the model.")]
AdapterOption = Annotated[
    str | None,
    typer.Option(help="LoRA adapter: its name on that server; with --llm local its folder, or a GGUF file."),
]
ManifestOption = Annotated[
    str | None, typer.Option(help="The adapter's adapter_manifest.json, or the folder that holds it.")
]
TopKOption = Annotated[int | None, typer.Option(min=1, max=MOST_CHUNKS, help="Chunks to retrieve.")]
RetrievalOption = Annotated[
    str | None,
    typer.Option(
        help="hybrid (by meaning and words), dense (by meaning) or lexical (by words).",
        autocompletion=_among(*get_args(RetrievalMode)),
    ),
]
RetractedOption = Annotated[bool, typer.Option("--include-retracted", help="Use retracted papers too.")]
PolicyOption = Annotated[
    str,
    typer.Option(
        help="Sentences that nothing supports: strict (left out), mark (marked) or report (kept).",
        autocompletion=_among(*get_args(Policy)),
    ),
]
FirstYearOption = Annotated[
    int | None, typer.Option("--from-year", min=1000, max=9999, help="Papers of this year or later.")
]
LastYearOption = Annotated[
    int | None, typer.Option("--to-year", min=1000, max=9999, help="Papers of this year or earlier.")
]
ChunkSizeOption = Annotated[int | None, typer.Option(help="Most tokens in a chunk (of a new index).")]
ChunkOverlapOption = Annotated[int | None, typer.Option(help="Tokens shared by neighbouring chunks.")]
TypeOption = Annotated[
    list[str] | None, typer.Option("--type", help="Papers of this publication type, or of one of several.")
]
JournalOption = Annotated[list[str] | None, typer.Option(help="Papers of this journal, or of one of several.")]


def _without_progress(value: bool) -> bool:
    _is_quiet.set(value)
    return value


def _with_notices(context: typer.Context, value: bool) -> bool:
    """Show the package's notices, and where the settings come from."""
    if value:
        handler = logging.StreamHandler()
        handler.setFormatter(PrintableFormatter("%(name)s: %(message)s"))
        logger = logging.getLogger("llama_index_medqa")
        logger.handlers = [handler]
        logger.setLevel(logging.INFO)
        for line in context.meta.get(ORIGINS, ()):
            logger.info(line)
    return value


# Under this name Typer's context holds a line for each setting that is not the default.
ORIGINS = "llama_index_medqa.origins"
_is_quiet: ContextVar[bool] = ContextVar("is_quiet", default=False)

QuietOption = Annotated[bool, typer.Option("--quiet", "-q", callback=_without_progress, help="Show no progress.")]
VerboseOption = Annotated[
    bool,
    typer.Option("--verbose", "-v", callback=_with_notices, help="Also say what is done, and which settings hold."),
]


def terminal_for(as_json: bool) -> "Terminal":
    """Return the terminal of a command.

    Quiet where the answer is JSON, without progress after ``--quiet``.
    """
    from llama_index_medqa.cli.display.terminal import Terminal

    return Terminal(quiet=as_json, with_progress=not _is_quiet.get())


def chosen_profile(name: str, **overrides: Any) -> Profile:
    """Return a profile by name, with given values in place of its own.

    Where an address is given and no kind of model, a server is meant.

    Raises:
        UsageError: there is no such profile, no such kind of model or retrieval, or no model for the adapter.
    """
    if name not in PROFILES:
        raise UsageError(f"There is no profile {name!r}: choose {' or '.join(PROFILES)}.")
    for option, kinds in (("llm", get_args(LlmKind)), ("retrieval", get_args(RetrievalMode))):
        if overrides.get(option) not in (None, *kinds):
            raise UsageError(f"--{option} cannot be {overrides[option]!r}: choose {', '.join(kinds)}.")
    given = {key: value for key, value in overrides.items() if value is not None}
    if given.get("api_base"):
        given.setdefault("llm", "server")
    if given.get("llm", PROFILES[name].llm) != PROFILES[name].llm:
        # The profile's own is a name on its server.
        given.setdefault("adapter", None)
    if given.get("llm") == "extractive" and given.get("adapter"):
        if _is_typed("--adapter"):
            raise UsageError(
                f"--adapter {given['adapter']} needs a model, and --llm extractive has none: leave one of the two out, "
                "or choose --llm local or server."
            )
        given["adapter"] = None
    return replace(PROFILES[name], follows_index="embedder" not in given, **given)


def _is_typed(option: str) -> bool:
    """Return whether an option was typed, and not taken from a file or variable."""
    return any(word.partition("=")[0] == option for word in sys.argv[1:])


def chosen_strictness(name: str) -> Strictness:
    """Return a strictness by name.

    Raises:
        UsageError: there is no such strictness.
    """
    if name not in get_args(Strictness):
        raise UsageError(f"--strictness cannot be {name!r}: choose {', '.join(get_args(Strictness))}.")
    return cast("Strictness", name)


def chosen_policy(name: str) -> Policy:
    """Return a policy by name.

    Raises:
        UsageError: there is no such policy.
    """
    if name not in get_args(Policy):
        raise UsageError(f"--policy cannot be {name!r}: choose {', '.join(get_args(Policy))}.")
    return cast("Policy", name)


def require_index(folder: str) -> None:
    """Raise if the index is missing, before a model is loaded."""
    from llama_index_medqa.vector_store.addresses import open_store

    open_store(folder, create=False)


def print_json(data: dict[str, Any] | list[dict[str, Any]]) -> None:
    """Write a command's answer to standard output, without the keys in the address of an index."""
    if isinstance(data, dict):
        places = {name: redacted(data[name]) for name in ("index", "from", "to") if isinstance(data.get(name), str)}
        data = {**data, **places}
    sys.stdout.write(printable_json(data) + "\n")
