"""Does a second run of the experiment give the same answers?

    python -m benchmarks.experiment --work AGAIN --limit 20
    python -m benchmarks.experiment.repeatability FOLDER AGAIN [--data DATA] [--profile mistral7b]

FOLDER is the one that the experiment was run with, AGAIN an empty one, which gets indexes and answers of its own.
Compared is what is scored: text, evidence, citations, tokens and what became of the question; not the seconds, and not
the name under which a server serves the model.
"""

import argparse
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from benchmarks.common.answer_sets import NAMES, load_answer_set
from benchmarks.common.data_folder import add_data_option
from benchmarks.common.provenance import provenance, write_results
from benchmarks.experiment.asking import ALL, Asking
from benchmarks.experiment.design import SETUPS, Cell
from benchmarks.experiment.models import models
from benchmarks.experiment.scoring import as_scored
from llama_index_medqa.evaluation.answers import Answer
from llama_index_medqa.evaluation.cases import EvaluationCase

_COMPARED = [field.name for field in fields(Answer) if field.name not in ("seconds", "answered_by")]
Replies = Sequence[tuple[EvaluationCase, Answer | None]]


def compared(first: Replies, again: Replies) -> dict[str, Any]:
    """Return which answers of a cell are equal in two runs.

    Args:
        first: the cases of a cell and their answers.
        again: the same of the second run.

    Returns:
        ``asked``, ``twice``, ``equal_text``, ``equal``: how many; ``unlike``: by the identifiers of the other cases,
        what of their answers differs.
    """
    answers = {case.case_id: answer for case, answer in again if answer is not None}
    unlike = {
        case.case_id: _unlike(answer, answers[case.case_id])
        for case, answer in first
        if answer is not None and case.case_id in answers
    }
    return {
        "asked": len(first),
        "twice": len(unlike),
        "equal_text": sum("text" not in names for names in unlike.values()),
        "equal": sum(not names for names in unlike.values()),
        "unlike": {case_id: names for case_id, names in unlike.items() if names},
    }


def _unlike(one: Answer, other: Answer) -> list[str]:
    said, again = as_scored(one), as_scored(other)
    return [name for name in _COMPARED if getattr(said, name) != getattr(again, name)]


def main() -> None:
    """Compare two folders and writes ``results/experiment_again.json``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("first", type=Path, metavar="FOLDER")
    parser.add_argument("again", type=Path, metavar="AGAIN")
    parser.add_argument("--profile", choices=SETUPS, default="embedded")
    add_data_option(parser)
    options = parser.parse_args()
    setup = SETUPS[options.profile]
    sets = {name: load_answer_set(name, options.data) for name in NAMES}
    runs = [
        Asking(setup, sets, folder, ALL, lambda kind: models(setup, kind, None))
        for folder in (options.first, options.again)
    ]

    def agreement(cell: Cell) -> dict[str, Any]:
        return compared(*(run.replies(cell) for run in runs))

    cells = {cell.name: agreement(cell) for cell in setup.cells}
    counts = {name: sum(cell[name] for cell in cells.values()) for name in ("asked", "twice", "equal_text", "equal")}
    files = [file for chosen in sets.values() for file in chosen.files]
    results = {"answers": counts, "cells": cells, "provenance": provenance(files, ["chromadb", "xllamacpp", "torch"])}
    print(write_results("experiment_again", results).read_text())


if __name__ == "__main__":
    main()
