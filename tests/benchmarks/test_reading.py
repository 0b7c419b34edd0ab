"""Sheets for people to read, and the table of their marks."""

import json

import pytest

from benchmarks.answering.gold_answers import GoldAnswer
from benchmarks.answering.reading import as_markdown, read_marks, reading_table, unread, write_sheet
from tests.benchmarks.answered import GOLD_TEXT, row

pytest.importorskip("scipy")
GOLD = {"BioASQ": {name: GoldAnswer("list", items=(("erenumab", "Aimovig"), ("x",))) for name in ("q1", "q2", "q3")}}


def rows():
    return [
        row("Erenumab prevents migraine.", "It is safe.", case="q1", exact_answer={"items": [{"text": "erenumab"}]}),
        row("Erenumab.", case="q1", gold_removed=True),
        row(case="q2", abstained="nothing_supported", quotes=(GOLD_TEXT,)),
        row(case="q3", abstained="no_evidence"),
    ]


@pytest.fixture
def sheet(tmp_path):
    file = tmp_path / "sheet.md"
    write_sheet(file, rows(), GOLD, 5)
    return file


def test_the_sheet_tells_all_that_a_reader_needs(sheet):
    text = sheet.read_text()
    assert "## BioASQ q1 (list)\n\n**Which antibodies prevent migraine?**\n\nRight: erenumab / Aimovig; x\n" in text
    assert "Shown: **answer** \n\nExact answer: erenumab\n" in text
    assert (
        f"1. Erenumab prevents migraine.\n    - [PMID:1 0-{len(GOLD_TEXT)}] Antibodies for migraine.: “{GOLD_TEXT}”"
        in text
    )
    assert "Shown: **findings** nothing_supported" in text
    assert text.count("## BioASQ") == 3


def test_the_marks_hold_no_texts(sheet):
    marks = read_marks(sheet.with_suffix(".marks.jsonl"))
    assert [{key: line[key] for key in line if key != "shown"} for line in marks] == [
        {
            "set": "BioASQ",
            "case": "q1",
            "kind": "list",
            "outcome": "answer",
            "answer": None,
            "sentences": [None, None],
            "spans": [[None], [None]],
        },
        {"set": "BioASQ", "case": "q2", "kind": "list", "outcome": "findings", "findings": None},
        {"set": "BioASQ", "case": "q3", "kind": "list", "outcome": "nothing_found"},
    ]


def test_marks_of_what_did_not_change_are_kept(sheet):
    file = sheet.with_suffix(".marks.jsonl")
    marks = read_marks(file)
    marks[0]["answer"], marks[1]["findings"] = "right", "yes"
    file.write_text("".join(json.dumps(line) + "\n" for line in marks))
    changed = rows()
    changed[2] = row(case="q2", abstained="nothing_supported", quotes=("Another quote.",))
    write_sheet(sheet, changed, GOLD, 5)
    again = read_marks(file)
    assert again[0]["answer"] == "right"
    assert again[1]["findings"] is None


MARKS = [
    {
        "set": "S",
        "case": "1",
        "answer": "right",
        "sentences": ["right", "wrong"],
        "spans": [["supports"], ["not", "not"]],
    },
    {"set": "S", "case": "2", "answer": "partly", "sentences": ["right"], "spans": [["supports"]]},
    {"set": "S", "case": "3", "answer": "wrong", "sentences": ["wrong"], "spans": [[]]},
    {"set": "S", "case": "4", "findings": "yes"},
    {"set": "S", "case": "5"},
]


def test_marks_are_counted():
    found = reading_table(MARKS)
    counts = {name: (share.get("count"), share["of"]) for name, share in found.items()}
    assert counts == {
        "right": (1, 5),
        "right or partly": (2, 5),
        "wrong": (1, 5),
        "no answer": (2, 5),
        "shown sentences that are wrong": (2, 4),
        "spans that do not support their sentence": (2, 4),
        "findings that hold the answer": (1, 1),
    }
    # Clopper and Pearson: for all of one, from 2.5 % ** (1 / 1).
    assert (found["findings that hold the answer"]["low"], found["findings that hold the answer"]["high"]) == (0.025, 1)
    assert "| right | 0.200" in as_markdown(
        {"sets": {"S": found}, "provenance": {"date": "d", "commit": "c", "command": "x"}}
    )


def test_none_of_300_is_told_with_its_upper_limit():
    marks = [{"set": "S", "case": "1", "answer": "right", "sentences": ["right"] * 300, "spans": []}]
    # 1 - 2.5 % ** (1 / 300).
    assert reading_table(marks)["shown sentences that are wrong"]["high"] == pytest.approx(0.0122, abs=1e-4)


@pytest.mark.parametrize(
    "line",
    [
        {"answer": None},
        {"answer": "good"},
        {"sentences": ["right", None]},
        {"spans": [["supports", None]]},
        {"findings": "maybe"},
    ],
)
def test_what_is_not_marked_is_told(line):
    marks = [{"set": "S", "case": "7", **line}]
    [fault] = unread(marks)
    assert fault.startswith("S 7: ")
    with pytest.raises(ValueError, match="Mark these first"):
        reading_table(marks)
