"""The commands ``python -m training run``, ``export``, ``verifier`` and ``roles``."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from llama_index_medqa.cli.options import EXIT_FAILED
from llama_index_medqa.errors import MedQAError
from training.trainer import Progress as Reached
from training.trainer import Show

if TYPE_CHECKING:
    from training.run import Plan

EXIT_INTERRUPTED = 130
_MIB = 2**20


def run_command(
    recipe: Annotated[str, typer.Argument(help="A recipe's file, or the name of one in training/recipes.")],
    overrides: Annotated[list[str] | None, typer.Option("--set", help="KEY=VALUE in place of the recipe's.")] = None,
    check_only: Annotated[bool, typer.Option("--check", help="Check everything and train nothing.")] = False,
) -> None:
    """Train an adapter by a recipe; run again to go on after an interruption.

    Exit status: 0 all well, 1 error, 130 interrupted.
    """
    from training.recipe import read_recipe
    from training.run import make_plan, run

    console = Console(stderr=True)
    with _errors(console):
        with console.status("Checking the recipe"):
            plan = make_plan(read_recipe(recipe, overrides or ()), _devices())
        _print_plan(plan, console)
        if check_only:
            return
        with _progress(console) as show:
            manifest = run(plan, show, console.print)
        training = manifest.training
        if training is not None:
            console.print(
                f"{training.steps} steps, {training.samples_per_second:g} items a second, loss "
                f"{training.loss_curve[0].loss:.3f} to {training.loss_curve[-1].loss:.3f}. The adapter is in "
                f"{plan.recipe.output_dir}; serve it with: medqa serve --adapter NAME={plan.recipe.output_dir}",
                soft_wrap=True,
            )


def export_command(
    adapter: Annotated[Path, typer.Argument(help="The folder of an adapter with a manifest.")],
    base: Annotated[str, typer.Option(help="Its base model: a folder, a hub id, or packaged weights.")],
    out: Annotated[Path, typer.Option(help="Folder for the merged model.")],
    gguf: Annotated[
        str | None, typer.Option(help="Also write GGUF of this type, such as q8_0, by llama.cpp's converter.")
    ] = None,
) -> None:
    """Merge an adapter into its base model.

    Exit status: 0 all well, 1 error.
    """
    from training.export import gguf_command, merge, to_gguf
    from training.recipe import resolve_base

    console = Console(stderr=True)
    with _errors(console):
        file = out / f"{adapter.name}-{gguf}.gguf"
        if gguf:
            # Before the merging, which takes minutes.
            gguf_command(out, file, gguf)
        merged = merge(adapter, resolve_base(base), out)
        console.print(
            f"The merged model is in {out}; log-probabilities differ from the adapter's by {merged.difference:.1e}.",
            soft_wrap=True,
        )
        if gguf:
            to_gguf(out, file, gguf)
            console.print(f"GGUF: {file}", soft_wrap=True)


def verifier_command(
    data: Annotated[Path, typer.Option(envvar="MEDQA_SHARED_DATA", help="Folder with nli, claims, sft and qa.")],
    work: Annotated[Path, typer.Option(help="Folder for the checkpoint and the trained model.")] = Path(
        ".medqa/verifier"
    ),
    start: Annotated[
        str, typer.Option(help="The cross-encoder to start from: packaged weights, or a folder.")
    ] = "ms-marco-minilm-l12-v2",
) -> None:
    """Train the verifier; run again to go on after an interruption.

    Exit status: 0 all well, 1 error, 130 interrupted.
    """
    from llama_index_medqa.weights import locate
    from training.verifier.recipe import ROUNDS
    from training.verifier.run import train

    console = Console(stderr=True)
    with _errors(console):
        folder = train(ROUNDS, data, locate(start), work, console.print)
        console.print(f"The verifier is in {folder}.", soft_wrap=True)


def roles_command(
    data: Annotated[Path, typer.Option(envvar="MEDQA_SHARED_DATA", help="Folder with sft, qa and claims.")],
    out: Annotated[Path, typer.Option(help="File for the weights.")] = Path("role_weights.json"),
) -> None:
    """Fit the weights of sentence roles, and print how well they do on sentences that were not fitted.

    Exit status: 0 all well, 1 error.
    """
    from training.sentence_roles import make_weights

    console = Console(stderr=True)
    with _errors(console):
        console.print_json(data=make_weights(data, out))
        console.print(f"The weights are in {out}.", soft_wrap=True)


@contextmanager
def _errors(console: Console) -> Iterator[None]:
    try:
        yield
    except MedQAError as error:
        console.print(f"Error: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(EXIT_FAILED) from error
    except KeyboardInterrupt as error:
        console.print("Interrupted. Run the same command again: it goes on from the last checkpoint.", soft_wrap=True)
        raise typer.Exit(EXIT_INTERRUPTED) from error


def _devices() -> int:
    """Return the number of GPUs for LLaMA-Factory; 1 where there is none."""
    import importlib.util

    if importlib.util.find_spec("torch") is None:
        return 1
    import torch

    return max(1, torch.cuda.device_count())


def _print_plan(plan: "Plan", console: Console) -> None:
    lengths, data = sorted(plan.lengths), plan.dataset
    rows = {
        "Base model": plan.base,
        "Items": f"{len(plan.items)} of {len(data.items)} in {data.file.name} ({data.sha256[:12]}…)",
        "Tokens of an item": f"{lengths[len(lengths) // 2]} (median), {lengths[-1]} (most)",
        "Same as served": f"the prompts of {plan.compared} items, token by token",
        "Steps": str(plan.steps) if plan.steps else "known after packing",
        "Memory, estimated": f"{plan.memory.total // _MIB:,} MiB",
        "Disk": f"{plan.disk // _MIB:,} MiB",
    }
    table = Table("", "", show_header=False, box=None)
    for name, value in rows.items():
        table.add_row(name, value)
    console.print(table)
    for warning in plan.warnings:
        console.print(f"Warning: {warning}", style="yellow", markup=False, soft_wrap=True)


@contextmanager
def _progress(console: Console) -> Iterator[Show]:
    """Show a bar with steps, loss, speed and remaining time."""
    columns = (
        BarColumn(), MofNCompleteColumn(), TextColumn("steps"), TextColumn("{task.fields[facts]}"), TimeElapsedColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("", total=None, facts="")

        def show(reached: Reached) -> None:
            bar.update(task, completed=reached.step, total=reached.steps, facts=describe(reached))

        yield show


def describe(reached: Reached) -> str:
    """Return loss, rate and remaining time, as far as they are known."""
    facts = [f"loss {reached.loss:.3f}"] if reached.loss is not None else []
    if reached.steps_per_second and reached.seconds_left is not None:
        facts.append(f"{60 * reached.steps_per_second:.1f} steps/min")
        minutes, seconds = divmod(round(reached.seconds_left), 60)
        facts.append(f"{minutes}:{seconds:02d} left")
    return ", ".join(facts)
