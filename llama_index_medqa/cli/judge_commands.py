"""The command ``medqa judge calibrate``."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llama_index_medqa._common.writable import require_writable
from llama_index_medqa.cli.judging import Judging
from llama_index_medqa.cli.options import JsonOption, print_json, terminal_for
from llama_index_medqa.errors import UsageError
from llama_index_medqa.profiles import EMBEDDED

if TYPE_CHECKING:
    from llama_index_medqa.evaluation.judges.calibration import LabelledPair, Quality

judge_app = typer.Typer(help="The judges of evaluations.", no_args_is_help=True)


@judge_app.callback()
def _judge() -> None:
    """Keep ``calibrate`` a command of its own while it is the only one."""


@judge_app.command()
def calibrate(
    labels: Annotated[list[Path], typer.Argument(help="Labelled pairs of claim and evidence, as JSON lines.")],
    judge: Annotated[str, typer.Option(help="verifier, offline, log-odds or verdict.")] = "offline",
    judge_api_base: Annotated[
        str | None, typer.Option(help="OpenAI-compatible server of the judge's model, in place of packaged weights.")
    ] = None,
    judge_model: Annotated[str | None, typer.Option(help="Name under which it serves the model.")] = None,
    judge_concurrency: Annotated[int, typer.Option(min=1, help="Most requests to it under way at once.")] = 1,
    judge_timeout: Annotated[float, typer.Option(min=0.001, help="Seconds after which a request has failed.")] = 600.0,
    judge_journal: Annotated[Path, typer.Option(help="Where its answers are kept, for another run.")] = Path(
        "calibration.judge.jsonl"
    ),
    output: Annotated[Path | None, typer.Option("--output", "-o", help="JSON file to write.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Measure how well a judge agrees with people's labels, beside word overlap and length."""
    require_writable(output)
    from llama_index_medqa.evaluation.judges.calibration import load_pairs

    sets = {path.stem: load_pairs(path) for path in labels}
    if len(sets) < len(labels):
        raise UsageError("Two files have the same name: a set is recognised by the name of its file. Rename one.")
    judging = Judging(
        judge, (), EMBEDDED, judge_api_base, judge_model, judge_journal, judge_concurrency, judge_timeout, _SETTINGS
    )
    judging.check()
    terminal = terminal_for(as_json)
    identity, found = asyncio.run(_measured(judging, sets, terminal))
    report = {
        "judge": identity,
        "sets": {name: {row: one.as_data() for row, one in rows.items()} for name, rows in found.items()},
    }
    if output:
        output.write_text(json.dumps(report, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    if as_json:
        print_json(report)
    else:
        terminal.show_judge_quality(found)


# A judge of sentences is asked once; repeats are for ragas.
_SETTINGS = {"repeats": 1, "temperature": 0.0}


async def _measured(
    judging: Judging, sets: dict[str, list["LabelledPair"]], terminal: Any
) -> tuple[dict[str, Any], dict[str, dict[str, "Quality"]]]:
    from llama_index_medqa.evaluation.judges.calibration import judge_pairs, length, quality, word_overlap
    from llama_index_medqa.evaluation.score import Score

    async with judging.judge_opened(terminal) as judge:
        found = {}
        for name, pairs in sets.items():
            with terminal.judging_progress() as progress:
                scores = await judge_pairs(judge, pairs, progress)
            found[name] = {
                judge.name: quality(scores, pairs),
                "word overlap": _alone([Score.of(word_overlap(pair)) for pair in pairs], pairs),
                "length": _alone([Score.of(length(pair)) for pair in pairs], pairs),
            }
        return dict(judge.identity), found


def _alone(scores: Sequence[Any], pairs: Sequence["LabelledPair"]) -> "Quality":
    from llama_index_medqa.evaluation.judges.calibration import quality

    return quality(scores, pairs, probabilities=False)
