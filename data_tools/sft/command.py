"""``python -m data_tools sft``: makes fine-tuning data for LLaMA-Factory from records."""

import json
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from data_tools.sft.build import SftSettings, build
from data_tools.sft.grounded_recipe import GroundedSettings
from data_tools.sft.sources import source_files
from llama_index_medqa.cli.option_groups import with_groups
from llama_index_medqa.cli.options import EXIT_FAILED
from llama_index_medqa.errors import MedQAError


class RecipeKind(StrEnum):
    """The kind of item."""

    SEED = "seed"
    GROUNDED = "grounded"


class RetrievalKind(StrEnum):
    """The way in which passages are found."""

    LEXICAL = "lexical"
    HYBRID = "hybrid"


@dataclass(frozen=True)
class SharedOptions:
    """Options of both recipes."""

    drop_evaluation_items: Annotated[
        bool, typer.Option("--drop-evaluation-items", help="Leave such papers out; else they are an error.")
    ] = False
    ignore_field: Annotated[
        list[str] | None, typer.Option(help="A key of JSON lines that is not part of a record; repeat.")
    ] = None
    validation_share: Annotated[
        float, typer.Option(min=0.0, max=0.9, help="Share of the papers kept for validation.")
    ] = SftSettings.validation_share
    near_duplicate: Annotated[
        float, typer.Option(min=0.5, max=1.0, help="Least similarity of abstracts of which one is used.")
    ] = SftSettings.near_duplicate
    seed: Annotated[int, typer.Option(help="Decides what is left to chance.")] = SftSettings.seed

    def as_settings(self, recipe: RecipeKind) -> SftSettings:
        """Return the settings that both recipes share."""
        return SftSettings(
            recipe=recipe.value,
            seed=self.seed,
            validation_share=self.validation_share,
            near_duplicate=self.near_duplicate,
            drop_evaluation_items=self.drop_evaluation_items,
            ignored_fields=tuple(self.ignore_field or ()),
        )


@dataclass(frozen=True)
class GroundedOptions:
    """Options of the recipe ``grounded``."""

    withheld_share: Annotated[
        float, typer.Option(min=0.0, max=0.49, help="grounded: share of items that are to be declined.")
    ] = GroundedSettings.withheld_share
    passages: Annotated[int, typer.Option(min=1, max=20, help="grounded: papers shown with a question.")] = (
        GroundedSettings.passages
    )
    passage_tokens: Annotated[int, typer.Option(min=32, help="grounded: most tokens of each.")] = (
        GroundedSettings.passage_tokens
    )
    retrieval: Annotated[RetrievalKind, typer.Option(help="grounded: by words, or by words and meaning.")] = (
        RetrievalKind.LEXICAL
    )
    embedder: Annotated[str, typer.Option(help="grounded: its tokenizer cuts the chunks; hybrid embeds with it.")] = (
        "multilingual-e5-small"
    )

    def as_settings(self, seed: int) -> GroundedSettings:
        """Return the settings of the grounded recipe."""
        return GroundedSettings(
            seed=seed,
            withheld_share=self.withheld_share,
            passages=self.passages,
            passage_tokens=self.passage_tokens,
            retrieval=self.retrieval.value,
            embedder=self.embedder,
        )


@with_groups
def sft_command(
    *,
    records: Annotated[list[str], typer.Argument(help="Files of records, folders or patterns.")],
    recipe: Annotated[RecipeKind, typer.Option(help="From title to abstract, or from passages to a cited answer.")],
    out: Annotated[Path, typer.Option(help="Folder for the files, which are replaced.")],
    exclude: Annotated[
        list[Path] | None, typer.Option(help="An evaluation set, whose papers must not be trained on; repeat.")
    ] = None,
    shared: SharedOptions,
    grounded: GroundedOptions,
    as_json: Annotated[bool, typer.Option("--json", help="Print the manifest.")] = False,
) -> None:
    """Make training and validation data from PubMed records, with a manifest.

    Exit status: 0 all well, 1 error; then no file was written.
    """
    settings = shared.as_settings(recipe)
    grounded_settings = grounded.as_settings(shared.seed) if recipe is RecipeKind.GROUNDED else None
    errors = Console(stderr=True)
    try:
        with errors.status("Reading records") as status:
            manifest = build(source_files(records), exclude or [], out, settings, grounded_settings, status.update)
    except MedQAError as error:
        errors.print(f"Error: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(EXIT_FAILED) from error
    if as_json:
        typer.echo(json.dumps(manifest, ensure_ascii=False))
    else:
        _print(manifest, out, Console())


def _print(manifest: dict[str, Any], out: Path, console: Console) -> None:
    table = Table("", "", show_header=False, box=None)
    table.add_row("Records read", str(manifest["read"]))
    for reason, number in manifest["rejected"].items():
        table.add_row(f"  left out: {reason}", str(number))
    for split, kinds in manifest["rows"].items():
        for kind, number in kinds.items():
            table.add_row(f"Rows for {split}: {kind}", str(number))
    whole = manifest["tokens"]["whole"]
    table.add_row("Tokens of a row", f"{whole['50%']} (median), {whole['95%']} (95 %), {whole['100%']} (most)")
    console.print(table)
    console.print(f"Written to {out}.", markup=False, soft_wrap=True)
