"""``python -m data_tools sft``: makes fine-tuning data for LLaMA-Factory from records."""

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from data_tools.sft.build import SftSettings, build
from data_tools.sft.grounded_recipe import GroundedSettings
from data_tools.sft.sources import source_files
from llama_index_medqa.errors import MedQAError

EXIT_ERROR = 1


class RecipeKind(StrEnum):
    """The kind of item."""

    SEED = "seed"
    GROUNDED = "grounded"


class RetrievalKind(StrEnum):
    """The way in which passages are found."""

    LEXICAL = "lexical"
    HYBRID = "hybrid"


def sft_command(  # noqa: PLR0913 - one parameter an option
    *,
    records: Annotated[list[str], typer.Argument(help="Files of records, folders or patterns.")],
    recipe: Annotated[RecipeKind, typer.Option(help="From title to abstract, or from passages to a cited answer.")],
    out: Annotated[Path, typer.Option(help="Folder for the files, which are replaced.")],
    exclude: Annotated[
        list[Path] | None, typer.Option(help="An evaluation set, whose papers must not be trained on; repeat.")
    ] = None,
    drop_evaluation_items: Annotated[
        bool, typer.Option("--drop-evaluation-items", help="Leave such papers out; else they are an error.")
    ] = False,
    ignore_field: Annotated[
        list[str] | None, typer.Option(help="A key of JSON lines that is not part of a record; repeat.")
    ] = None,
    validation_share: Annotated[
        float, typer.Option(min=0.0, max=0.9, help="Share of the papers kept for validation.")
    ] = SftSettings.validation_share,
    near_duplicate: Annotated[
        float, typer.Option(min=0.5, max=1.0, help="Least similarity of abstracts of which one is used.")
    ] = SftSettings.near_duplicate,
    seed: Annotated[int, typer.Option(help="Decides what is left to chance.")] = SftSettings.seed,
    withheld_share: Annotated[
        float, typer.Option(min=0.0, max=0.49, help="grounded: share of items that are to be declined.")
    ] = GroundedSettings.withheld_share,
    passages: Annotated[int, typer.Option(min=1, max=20, help="grounded: papers shown with a question.")] = (
        GroundedSettings.passages
    ),
    passage_tokens: Annotated[int, typer.Option(min=32, help="grounded: most tokens of each.")] = (
        GroundedSettings.passage_tokens
    ),
    retrieval: Annotated[RetrievalKind, typer.Option(help="grounded: by words, or by words and meaning.")] = (
        RetrievalKind.LEXICAL
    ),
    embedder: Annotated[
        str, typer.Option(help="grounded: its tokenizer cuts the chunks; hybrid embeds with it.")
    ] = "multilingual-e5-small",
    as_json: Annotated[bool, typer.Option("--json", help="Print the manifest.")] = False,
) -> None:
    """Make training and validation data from PubMed records, with a manifest.

    Exit status: 0 all well, 1 error; then no file was written.
    """
    settings = SftSettings(
        recipe=recipe.value,
        seed=seed,
        validation_share=validation_share,
        near_duplicate=near_duplicate,
        drop_evaluation_items=drop_evaluation_items,
        ignored_fields=tuple(ignore_field or ()),
    )
    grounded = None
    if recipe is RecipeKind.GROUNDED:
        grounded = GroundedSettings(
            seed=seed,
            withheld_share=withheld_share,
            passages=passages,
            passage_tokens=passage_tokens,
            retrieval=retrieval.value,
            embedder=embedder,
        )
    errors = Console(stderr=True)
    try:
        with errors.status("Reading records") as status:
            manifest = build(source_files(records), exclude or [], out, settings, grounded, status.update)
    except MedQAError as error:
        errors.print(f"Error: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(EXIT_ERROR) from error
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
