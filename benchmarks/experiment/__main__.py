"""Do retrieval and fine-tuning make answers right more often, and better supported?

    make experiment                              # the embedded profile, on a machine without a GPU
    python -m benchmarks.experiment --work FOLDER [--plan] [--profile mistral7b] [--limit N] [--only SUBJECT,…]

A base model, the same with an adapter trained by the seed's recipe (title to abstract) and with one trained by the
grounded recipe (passages to a cited answer) are asked the same questions, with and without retrieved evidence. Beside
them stand an untuned model of ten times the size, and quotes without a model. See ``experiment.design`` for what is
asked, ``common.answer_sets`` for the questions.

Before the first question of every cell the server proves that the adapter answers which was trained; else nothing is
asked. Answers are kept in FOLDER as they come: stop it at any time and run the same command again. Answers are kept by
models, adapters, prompts and papers, not by code: take another FOLDER after a change of the engine.

``--plan`` prints what is left to be trained, fetched and asked. ``--limit`` asks N questions of each set at most and
writes no results. ``--reference-at`` asks a server that already serves the reference model.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from benchmarks.common.answer_sets import NAMES, load_answer_set
from benchmarks.common.data_folder import add_data_option, require_data
from benchmarks.common.provenance import RESULTS, provenance, write_results
from benchmarks.experiment.asking import ALL, Asking, file_hash
from benchmarks.experiment.design import LABEL, SETUPS, Cell, Setup
from benchmarks.experiment.models import models
from benchmarks.experiment.report import as_data, as_markdown, as_plot, describe_judge, majority, plan
from benchmarks.experiment.scoring import CellScores, EffectComparison, comparisons, ragas_support, score_cell
from llama_index_medqa.errors import MedQAError
from llama_index_medqa.evaluation.judges import Judge
from llama_index_medqa.evaluation.judges.by_name import JUDGES, asks_model, judge_of
from llama_index_medqa.evaluation.judges.judge_server import open_judge
from llama_index_medqa.evaluation.judges.measured import measured_quality
from llama_index_medqa.evaluation.judges.model_calls import ModelCalls
from llama_index_medqa.evaluation.judges.ragas import RagasJudge
from llama_index_medqa.evaluation.runs.runner import Progress
from llama_index_medqa.llms.adapter_manifest import MANIFEST_NAME
from llama_index_medqa.profiles import EMBEDDED


def main() -> None:
    """Ask, measure, and write ``results/experiment.json``, ``.md`` and plots."""
    options = _options()
    setup = SETUPS[options.profile]
    cells = [cell for cell in setup.cells if not options.only or cell.subject.name in options.only]
    sets = {name: load_answer_set(name, options.data) for name in NAMES}
    asking = Asking(setup, sets, options.work, options.limit, lambda kind: models(setup, kind, options.reference_at))
    if options.plan:
        print(plan(setup, _left(setup, cells, asking, options.limit), _present(setup)))
        return
    try:
        failures = asking.ask(cells, _print_progress)
    except MedQAError as error:
        sys.exit(f"Error: {error}")
    scored, judge = asyncio.run(_measured(cells, asking, options))
    found = comparisons(scored)
    proofs = {cell.name: asking.proof(cell) for cell in cells if cell.subject.adapter}
    _require_proofs(scored, proofs)
    commonest = majority(asking.cases(LABEL, "PubMedQA"))
    text = as_markdown(scored, found, commonest, describe_judge(judge), proofs)
    print(text)
    if failures:
        sys.exit("\n".join([*failures, f"{len(failures)} questions failed: run the same command again."]))
    if options.limit == ALL and not options.only:
        _write(setup, scored, found, proofs, judge, text, [file for chosen in sets.values() for file in chosen.files])


async def _measured(
    cells: Sequence[Cell], asking: Asking, options: argparse.Namespace
) -> tuple[list[CellScores], Judge]:
    """Return the scores of all cells, and their judge.

    What a judge's model said once is kept too.
    """
    async with AsyncExitStack() as stack:
        calls = None
        if asks_model(options.judge) or options.ragas:
            server = stack.enter_context(open_judge(EMBEDDED, api_base=options.judge_at))
            calls = await stack.enter_async_context(
                ModelCalls.open(server, options.work / "judge.jsonl", concurrency=1)
            )
        judge = judge_of(options.judge, calls)
        ragas = ragas_support(RagasJudge(calls)) if calls and options.ragas else None
        scored = []
        for cell in cells:
            scored.append(await score_cell(cell, asking.replies(cell), judge, ragas, options.ragas))
            print(f"{cell.name}: measured", file=sys.stderr, flush=True)
        return scored, judge


def _present(setup: Setup) -> dict[str, bool]:
    return {name: (folder / MANIFEST_NAME).exists() for name, folder in setup.adapters.items()}


def _left(setup: Setup, cells: Sequence[Cell], asking: Asking, limit: int) -> dict[Cell, int]:
    """Return the number of unanswered questions of each cell.

    All of them where an adapter is still to be trained.
    """
    present = _present(setup)
    return {
        cell: asking.left(cell)
        if present.get(cell.subject.name, True)
        else sum(min(number, limit) for number in cell.task.questions.values())
        for cell in cells
    }


def _print_progress(cell: Cell, reached: Progress) -> None:
    if reached.done == reached.questions or reached.done % 10 == 0:
        print(
            f"{cell.name}: {reached.done} of {reached.questions}, {reached.failed} failed", file=sys.stderr, flush=True
        )


def _require_proofs(scored: Sequence[CellScores], proofs: dict[str, Any]) -> None:
    """Raise if an adapter's figures lack the proof that it answered."""
    for one in scored:
        name = one.cell.name
        if one.cell.subject.adapter and one.outcomes and not (proofs[name] and not proofs[name]["gap"]):
            sys.exit(f"The answers of {name!r} have no proof of their adapter: delete them and ask again.")


def _write(
    setup: Setup,
    scored: Sequence[CellScores],
    found: Sequence[EffectComparison],
    proofs: dict[str, Any],
    judge: Judge,
    text: str,
    files: Sequence[Path],
) -> None:
    name = "experiment" if setup is SETUPS["embedded"] else f"experiment_{setup.name}"
    adapters = [folder / "adapter_model.safetensors" for folder in setup.adapters.values()]
    results = {
        "provenance": provenance([*files], ["chromadb", "xllamacpp", "torch", "openvino"]),
        "adapters": {
            folder.name: file_hash(file) for folder, file in zip(setup.adapters.values(), adapters, strict=True)
        },
        "proofs": proofs,
        "judge": {"identity": judge.identity, "quality": measured_quality(judge.identity)},
        **as_data(scored, found),
    }
    write_results(name, results)
    (RESULTS / f"{name}.md").write_text(text, encoding="utf-8")
    for measure in dict.fromkeys(measure for one in scored for measure in one.scores):
        picture = f"{name}_{measure.replace('(', '_').rstrip(')')}.svg"
        (RESULTS / picture).write_text(as_plot(scored, measure), encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path(".medqa/experiment"))
    add_data_option(parser)
    parser.add_argument("--profile", choices=SETUPS, default="embedded")
    parser.add_argument("--plan", action="store_true", help="print what is left to be done, and do nothing")
    parser.add_argument("--limit", type=int, default=ALL, help="questions of each set")
    parser.add_argument("--only", type=lambda names: names.split(","), help="subjects, such as base,extractive")
    parser.add_argument("--judge", choices=JUDGES, default="offline", help="of sentences")
    parser.add_argument("--judge-at", help="address of a server of the judge's model, with /v1")
    parser.add_argument("--ragas", type=int, default=0, help="cases of a cell that ragas judges, minutes each")
    parser.add_argument("--reference-at", help="address of a server of the reference model, with /v1")
    options = parser.parse_args()
    require_data(options.data)
    return options


if __name__ == "__main__":
    main()
