"""The questions in other people's words, and the table of what they got."""

from collections import Counter

from benchmarks.answering.phrasings import INDEXES, as_markdown, got, phrasings
from benchmarks.common.answer_sets import load_answer_set
from tests.benchmarks.answered import row


def test_there_are_sixty_of_many_kinds():
    found = phrasings()
    assert len({item["question"] for item in found}) == 60
    assert {item["index"] for item in found} == set(INDEXES)
    assert all(item["expected"] for item in found)
    assert min(Counter(item["kind"] for item in found).values()) >= 3


def test_none_is_a_final_question(shared_data):
    final = {case.question.casefold().strip(" ?") for case in load_answer_set("BioASQ", shared_data).final}
    assert final.isdisjoint(item["question"].casefold().strip(" ?") for item in phrasings())


def test_what_each_got_is_told():
    answered = row("It " + "is " * 80 + "safe.", "It works.")
    answered["response"]["caution"] = "Ask a doctor."
    quoted = row(abstained="nothing_supported", quotes=("A  quote |\nof two lines.",))
    quoted["response"]["caution"] = None
    rows = [
        {"kind": "lay", "index": "demo", "question": "Is it | safe?", "expected": "yes", **got(answered)},
        {"kind": "typo", "index": "demo", "question": "si it?", "expected": "yes", **got(quoted)},
    ]
    assert rows[0]["first"] == "It " + "is " * 52 + "i…"
    assert (rows[0]["sentences"], rows[0]["papers"], rows[0]["seconds"]) == (2, ["PMID:1"], 5.6)
    origin = {"date": "2026-01-01", "commit": "0" * 40, "processor": "p", "command": "c"}
    text = as_markdown({"phrasings": rows, "provenance": origin})
    assert "| lay | 1 | 0 | 0 |\n| typo | 0 | 1 | 0 |" in text
    assert "| lay | Is it \\| safe? | yes | answer, after a caution | It is" in text
    assert "| typo | si it? | yes | findings (nothing_supported) | A quote \\| of two lines. PMID:1 |" in text
