"""The command `medqa baseline`: all of PubMed from the files that NLM gives out every year and every day."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llama_index_medqa._common.counts import counted, lasting, sized
from llama_index_medqa.cli.index_commands import alone, run_ingestion
from llama_index_medqa.cli.options import (
    EmbedderOption,
    IndexOption,
    JsonOption,
    ProfileOption,
    QuietOption,
    VerboseOption,
    WaitOption,
    chosen_profile,
    print_json,
    terminal_for,
)
from llama_index_medqa.profiles import EMBEDDED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llama_index_medqa.cli.display.terminal import Terminal
    from llama_index_medqa.indexing.baseline_files import BaselineFile, BaselinePlan
    from llama_index_medqa.indexing.identity import BaselineState
    from llama_index_medqa.indexing.index import PubMedIndex
    from llama_index_medqa.indexing.ingestion import IngestReport


def baseline(
    files: Annotated[Path, typer.Argument(help="Folder with NLM's pubmedYYnNNNN.xml.gz and their .md5, mirrored.")],
    folder: IndexOption = "medqa_index",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be applied.")] = False,
    profile: ProfileOption = EMBEDDED.name,
    embedder: EmbedderOption = None,
    chunk_size: Annotated[int | None, typer.Option(help="Most tokens in a chunk (of a new index).")] = None,
    chunk_overlap: Annotated[int | None, typer.Option(help="Tokens shared by neighbouring chunks.")] = None,
    wait: WaitOption = True,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Apply PubMed's baseline and update files to an index, in order. Run it again to go on, or for a day's updates."""
    from llama_index_medqa.indexing.baseline import plan_baseline
    from llama_index_medqa.indexing.baseline_files import require_sound

    terminal = terminal_for(as_json)
    chosen = chosen_profile(profile, embedder=embedder, chunk_size=chunk_size, chunk_overlap=chunk_overlap)
    plan, state = plan_baseline(files, folder)
    _show_plan(terminal, plan, state)
    result: dict[str, Any] = {}
    if plan.files and not dry_run:
        # A damaged first file is told before a model is loaded or a folder made.
        require_sound(plan.files[0])
        result = _applied(terminal, chosen, folder, plan, wait=wait)
    if as_json:
        print_json({"index": folder, **_as_json(plan, dry_run=dry_run), **result})


def _applied(terminal: "Terminal", profile: Any, folder: str, plan: "BaselinePlan", *, wait: bool) -> dict[str, Any]:
    from llama_index_medqa.indexing.baseline import apply_baseline, begin_baseline
    from llama_index_medqa.vector_store.addresses import open_store

    def ingest(index: "PubMedIndex", progress: Any) -> "IngestReport":
        report = apply_baseline(index, plan, progress=lambda _file, so_far: progress(so_far))
        terminal.line(f"The index holds files 1 to {report.last} of {report.year}.")
        return report.ingested

    with alone(terminal, folder, create=True, wait=wait):
        begin_baseline(open_store(folder), plan, wait=wait)
    return run_ingestion(terminal, profile, folder, ingest, wait=wait)


def _show_plan(terminal: "Terminal", plan: "BaselinePlan", state: "BaselineState | None") -> None:
    if plan.replaces_year is not None:
        terminal.line(
            f"The index has the files of {plan.replaces_year}; those of {plan.year} begin anew, and replace what they "
            "hold. What NLM left out since then stays: `medqa update` finds and deletes it.",
            "yellow",
        )
    if plan.older:
        terminal.line(
            f"Not applied: {counted(len(plan.older), 'file')} of years before {plan.year}, {_span(plan.older)}. The "
            f"files of {plan.year} hold all that they held.",
            "yellow",
        )
    if not plan.files:
        terminal.line(
            f"Nothing to do: the index has {counted(plan.done, 'file')} of {plan.year}, and there are no later ones."
        )
        return
    terminal.line(
        f"{counted(len(plan.files), 'file')} of {plan.year} to apply, {_span(plan.files)} ({sized(plan.size)}); "
        f"{plan.done} {'is' if plan.done == 1 else 'are'} in the index."
    )
    if state is not None and state.size:
        seconds = plan.size * state.seconds / state.size
        terminal.line(f"At the rate of the files before, that takes {lasting(seconds)}.")
    else:
        terminal.line("How long that takes is known after the first file; see `--dry-run` then.")


def _span(files: "Sequence[BaselineFile]") -> str:
    """Return the names of the first file and the last, or the only one."""
    return files[0].name if len(files) == 1 else f"{files[0].name} to {files[-1].name}"


def _as_json(plan: "BaselinePlan", *, dry_run: bool) -> dict[str, Any]:
    return {
        "year": plan.year,
        "files": [file.name for file in plan.files],
        "bytes": plan.size,
        "done_before": plan.done,
        "older": [file.name for file in plan.older],
        "replaces_year": plan.replaces_year,
        "dry_run": dry_run,
    }
