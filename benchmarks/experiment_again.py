"""Does a second run of the experiment give the same answers?

    python -m benchmarks.experiment --work AGAIN --limit 20
    python -m benchmarks.experiment_again FOLDER AGAIN [--data DATA] [--profile mistral7b]

FOLDER is the one that the experiment was run with, AGAIN an empty one, which gets indexes and answers of its own.
Compared is all of an answer but the seconds: its text, its evidence, its citations and its tokens.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.answer_sets import NAMES, load_answer_set
from benchmarks.data_folder import add_data_option
from benchmarks.experiment_asking import Asking
from benchmarks.experiment_design import SETUPS, Cell
from benchmarks.experiment_models import models
from benchmarks.provenance import provenance, write_results
from llama_index_medqa.evaluation.answers import Answer
from llama_index_medqa.evaluation.cases import EvaluationCase

_ALL = 1_000_000
Replies = Sequence[tuple[EvaluationCase, Answer | None]]


def compared(first: Replies, again: Replies) -> dict[str, Any]:
    """Of the questions of a cell that were answered twice, which answers are equal.

    Args:
        first: the cases of a cell and their answers.
        again: the same of the second run.

    Returns:
        ``asked``, ``twice``, ``equal``: how many; ``unlike``: the other cases, by their identifiers.
    """
    answers = {case.case_id: answer for case, answer in again if answer is not None}
    twice = [
        (case.case_id, _without_time(answer) == _without_time(answers[case.case_id]))
        for case, answer in first
        if answer is not None and case.case_id in answers
    ]
    return {
        "asked": len(first),
        "twice": len(twice),
        "equal": sum(equal for _, equal in twice),
        "unlike": [name for name, equal in twice if not equal],
    }


def _without_time(answer: Answer) -> Answer:
    return replace(answer, seconds=None)


def main() -> None:
    """Compares two folders and writes ``results/experiment_again.json``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("first", type=Path, metavar="FOLDER")
    parser.add_argument("again", type=Path, metavar="AGAIN")
    parser.add_argument("--profile", choices=SETUPS, default="embedded")
    add_data_option(parser)
    options = parser.parse_args()
    setup = SETUPS[options.profile]
    sets = {name: load_answer_set(name, options.data) for name in NAMES}
    runs = [
        Asking(setup, sets, folder, _ALL, lambda kind: models(setup, kind, None))
        for folder in (options.first, options.again)
    ]

    def told(cell: Cell) -> dict[str, Any]:
        return compared(*(run.replies(cell) for run in runs))

    cells = {cell.name: told(cell) for cell in setup.cells}
    counts = {name: sum(cell[name] for cell in cells.values()) for name in ("asked", "twice", "equal")}
    files = [file for chosen in sets.values() for file in chosen.files]
    results = {"answers": counts, "cells": cells, "provenance": provenance(files, ["chromadb", "xllamacpp", "torch"])}
    print(write_results("experiment_again", results).read_text())


if __name__ == "__main__":
    main()
