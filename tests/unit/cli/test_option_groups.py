"""A command whose options are fields of dataclasses is the command with these options one by one."""

from dataclasses import dataclass
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from llama_index_medqa.cli.option_groups import PaperOptions, with_groups
from llama_index_medqa.errors import UsageError


@dataclass(frozen=True)
class Source:
    """Where from."""

    path: Annotated[str, typer.Argument(help="A file.")]
    most: Annotated[int, typer.Option("--max", min=1, help="At most.")] = 3


@dataclass(frozen=True)
class Shown:
    """How."""

    names: Annotated[list[str] | None, typer.Option("--name", help="Of these.")] = None
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False


def application():
    app = typer.Typer()
    seen = []

    @app.command()
    @with_groups
    def show(
        *,
        source: Source,
        limit: Annotated[float, typer.Option(help="Seconds.")] = 0.5,
        shown: Shown,
    ) -> None:
        """Show something."""
        seen.append((source, limit, shown))

    return app, seen


def test_values_come_in_their_groups_and_defaults_hold():
    app, seen = application()
    result = CliRunner().invoke(app, ["a.txt", "--limit", "2", "--name", "x", "--name", "y", "--json"])
    assert result.exit_code == 0, result.output
    assert seen == [(Source("a.txt", 3), 2.0, Shown(["x", "y"], as_json=True))]
    CliRunner().invoke(app, ["b.txt"])
    assert seen[1] == (Source("b.txt", 3), 0.5, Shown(None, as_json=False))


def test_a_field_without_a_default_is_required_and_limits_are_kept():
    app, seen = application()
    assert CliRunner().invoke(app, []).exit_code == 2
    wrong = CliRunner().invoke(app, ["a.txt", "--max", "0"])
    assert wrong.exit_code == 2
    assert "--max" in wrong.output
    assert seen == []


def test_the_help_keeps_the_order_of_the_parameters():
    app, _ = application()
    text = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "120"}).output
    assert "Show something." in text
    positions = [text.index(name) for name in ("--max", "--limit", "--name", "--json")]
    assert positions == sorted(positions)


def test_years_are_told_by_the_options_that_were_typed(medqa):
    with pytest.raises(UsageError, match="--from-year 2020 is after --to-year 2010: swap the two"):
        PaperOptions(2020, 2010).as_filter()
    assert PaperOptions(2010, 2020).as_filter().first_year == 2010
    code, _, err = medqa("ask", "Does tea help?", "--llm", "extractive", "--from-year", 99999)
    assert (code, "--from-year" in err, "9999" in err) == (2, True, True)
