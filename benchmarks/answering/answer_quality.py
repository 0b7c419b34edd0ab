"""Are answers right, complete and cited, where are they lost, and are unanswerable questions refused?

    python -m benchmarks.answering.answer_quality --work FOLDER [--split calibration|final] [--drafter model|extractive]
        [--sets PubMedQA,BioASQ] [--limit N] [--before FILE] [--sheet FILE.md] [--data DATA]

150 questions of PubMedQA and 150 of BioASQ (see ``answer_sets``) go through the whole engine with the ``embedded``
profile, greedily, with one llama.cpp server, or with ``--drafter extractive`` through quotes alone: once with all
papers, and once as if the papers that hold the answer were not in the index. Only the second can be wrong in one way:
for BioASQ other papers may hold the answer too, so that an answer there is not always a false one. Thresholds and
prompts are chosen on ``calibration``; ``final`` is for the figures that are told, and for nothing else.

Told are the measures of BioASQ task B and PubMedQA (``evaluation.measures``), the share of
each outcome, the first stage at which a right answer was lost (``failure_stages``), and seconds by stage.

Indexes are built once and kept in FOLDER (minutes), and so are every draft of the model, with the seconds that it took,
and every answer, as soon as it is there: stop it at any time and run the same command. A draft is kept by what the
model was asked, an answer by the code that gave it, so that after a change of the code everything but the model's part
is done again.

``--before`` takes the figures of an earlier results file beside the new ones. ``--sheet`` writes a reading sheet (see
``reading``). ``--limit`` asks N questions of each set and writes no results file.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.answering.answer_summary import changes, question_list, summary
from benchmarks.answering.answer_tables import as_markdown
from benchmarks.answering.asking import Row, ask_all, questions_of
from benchmarks.answering.gold_answers import GoldAnswer, load_gold_answers
from benchmarks.answering.question_scores import ScoredQuestion, scored
from benchmarks.answering.reading import write_sheet
from benchmarks.common.answer_sets import NAMES, AnswerSet, load_answer_set
from benchmarks.common.data_folder import add_data_option, require_data
from benchmarks.common.provenance import RESULTS, provenance, write_results

_BOTH = "both"


def scored_rows(rows: Sequence[Row], sets: Sequence[AnswerSet], data: Path) -> list[ScoredQuestion]:
    """Return the scores of answered questions, in their order."""
    gold: dict[str, dict[str, GoldAnswer]] = {chosen.name: load_gold_answers(chosen.name, data) for chosen in sets}
    texts = {chosen.name: {document.id_: document.text for document in chosen.documents} for chosen in sets}
    return [
        scored(
            row,
            gold[row["set"]][row["case"]],
            "\n".join(texts[row["set"]].get(document_id, "") for document_id in row["gold"]),
        )
        for row in rows
    ]


def results_of(rows: Sequence[Row], questions: Sequence[ScoredQuestion]) -> dict[str, Any]:
    """Return the figures of each set and of both."""
    names = list(dict.fromkeys(row["set"] for row in rows))
    chosen = {name: [position for position, row in enumerate(rows) if row["set"] == name] for name in names}
    chosen[_BOTH] = list(range(len(rows)))
    return {
        name: summary([questions[position] for position in positions], [rows[position] for position in positions])
        for name, positions in chosen.items()
    }


def earlier(file: Path) -> dict[str, Any]:
    """Return the figures of an earlier results file.

    Of this command or of ``benchmarks.answers`` before it.
    """
    found = json.loads(file.read_text(encoding="utf-8"))
    both = found["sets"][_BOTH]
    measures = both.get("measures") or _measures_of_old_file(both)
    return {"provenance": found["provenance"], "measures": measures, "questions": found.get("questions", [])}


def _measures_of_old_file(both: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    measures = {"a right paper was retrieved": both["gold_among_retrieved"]}
    for population in ("answerable", "unanswerable"):
        share = both["abstained"][population]["share"]
        measures[f"{population}: answer"] = {
            "mean": 1 - share["mean"],
            "low": 1 - share["high"],
            "high": 1 - share["low"],
            "cases": share["cases"],
        }
    return measures | {name: both[name] for name in ("citation precision", "citation recall")}


def results_name(split: str, drafter: str) -> str:
    """Return the name of a results file.

    ``answers`` is that of the final questions and the profile's model.
    """
    return "_".join(["answers", *(part for part in (split, drafter) if part not in ("final", "model"))])


def main() -> None:
    """Ask, measure, and write the results file and its tables."""
    options = _options()
    sets = [load_answer_set(name, options.data) for name in options.sets.split(",")]
    options.work.mkdir(parents=True, exist_ok=True)
    questions = questions_of(sets, options.split, options.limit)
    rows = ask_all(sets, questions, options.work, options.split, options.drafter)
    found = scored_rows(rows, sets, options.data)
    results: dict[str, Any] = {
        "provenance": provenance(
            [file for chosen in sets for file in chosen.files], ["chromadb", "xllamacpp", "torch", "onnxruntime"]
        ),
        "split": options.split,
        "drafter": options.drafter,
        "sets": results_of(rows, found),
        "questions": question_list(found),
    }
    if options.before:
        before = earlier(options.before)
        results["changes"] = changes(before.pop("questions"), results["questions"])
        results["before"] = before
    if options.sheet:
        gold = {chosen.name: load_gold_answers(chosen.name, options.data) for chosen in sets}
        write_sheet(options.sheet, rows, gold, options.sheet_questions)
    text = as_markdown(results)
    print(text)
    if options.limit >= max(len(getattr(chosen, options.split)) for chosen in sets):
        name = results_name(options.split, options.drafter)
        write_results(name, results)
        (RESULTS / f"{name}.md").write_text(text, encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="folder for indexes, drafts and answers")
    add_data_option(parser)
    parser.add_argument("--split", choices=("calibration", "final"), default="calibration")
    parser.add_argument("--drafter", choices=("model", "extractive"), default="model")
    parser.add_argument("--sets", default=",".join(NAMES))
    parser.add_argument("--limit", type=int, default=1_000, help="questions of each set")
    parser.add_argument("--before", type=Path, help="an earlier results file")
    parser.add_argument("--sheet", type=Path, help="reading sheet to write, as Markdown")
    parser.add_argument("--sheet-questions", type=int, default=60, help="questions of each set on the sheet")
    options = parser.parse_args()
    require_data(options.data)
    return options


if __name__ == "__main__":
    main()
