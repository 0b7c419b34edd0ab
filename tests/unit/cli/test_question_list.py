"""medqa ask --questions: files of questions, files of answers, runs that are killed and resumed."""

import csv
import io
import json
import os
import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_index_medqa.cli.question_list.answer_file import COLUMNS, AnswerFile, answer_row
from llama_index_medqa.cli.question_list.answering import read_questions
from llama_index_medqa.errors import InputError, ServerError, UsageError
from tests.doubles.killed_runs import finish, started

FINDING = "Green tea lowered the resting heart rate by 3.5 beats per minute compared with water."
QUESTIONS = ["What did green tea do to the resting heart rate?", "What is the capital of Mongolia?"]
# Line feeds, quotation marks, a formula, letters of two bytes: what a row can be broken by.
ROWS = [
    {
        "question": '=SUM("x")\u00e9',
        "outcome": "findings",
        "answer": 'No answer.\n“It said ""yes"", twice.”\n',
        "exact_answer": "",
        "pmids": ["101", "102"],
        "spans": [{"document_id": "PMID:101", "start": 3, "end": 9, "quote": 'a "b"\nc\x9b'}],
        "dropped": 2,
        "seconds": 1.5,
        "answered_by": "scripted",
    },
    {
        "question": "Is it, really?",
        "outcome": "nothing_found",
        "answer": "",
        "exact_answer": "Yes",
        "pmids": [],
        "spans": [],
        "dropped": 0,
        "seconds": 0.0,
        "answered_by": "extractive",
    },
]


def cells(path):
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"), newline="")))


# --- files of questions -----------------------------------------------------------------------------------------------

texts = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1).filter(str.strip)


def stripped(text):
    return " ".join(text.split())


@given(st.lists(texts, min_size=1, max_size=5))
def test_questions_of_all_formats_are_the_same(tmp_path_factory, questions):
    folder = tmp_path_factory.mktemp("questions")
    (folder / "a.txt").write_text("\n\n".join(questions), encoding="utf-8")
    (folder / "a.jsonl").write_text("".join(json.dumps({"id": 1, "question": text}) + "\n" for text in questions))
    with (folder / "a.csv").open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows([["id", "Question"], *(["1", text] for text in questions)])
    expected = [stripped(text) for text in questions]
    for suffix in ("txt", "jsonl", "csv"):
        assert read_questions(folder / f"a.{suffix}") == expected


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", "\n \n", "holds no question"),
        ("a.csv", "id,text\n1,Why?\n", "one of them question"),
        ("a.csv", "", "one of them question"),
        ("a.csv", 'question\n"Why?\n', "not CSV"),
        ("a.jsonl", '{"question": "Why?"}\n{"text": "Why?"}\n', "line 2: must have a text as"),
        ("a.jsonl", '{"question": 3}\n', "line 1: must have a text as"),
        ("a.jsonl", '{"question"\n', "line 1: not JSON"),
        ("a.txt", b"\xff\xfe", "cannot be read"),
    ],
)
def test_a_file_without_questions_names_the_line_and_the_fix(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=message):
        read_questions(tmp_path / name)


def test_other_formats_and_missing_files(tmp_path):
    with pytest.raises(UsageError, match=r"ends in \.csv, \.jsonl, \.txt"):
        read_questions(tmp_path / "a.xlsx")
    with pytest.raises(InputError, match="cannot be read"):
        read_questions(tmp_path / "none.txt")


# --- files of answers -------------------------------------------------------------------------------------------------


def write(path, rows=ROWS, settings="abc"):
    with AnswerFile.open(path, settings) as file:
        for row in rows:
            file.add(row)
    return path.read_bytes()


def test_what_a_csv_holds(tmp_path):
    write(tmp_path / "a.csv")
    first, second = cells(tmp_path / "a.csv")
    assert tuple(first) == COLUMNS
    # A spreadsheet would compute it.
    assert first["question"] == "'" + ROWS[0]["question"]
    assert (first["answer"], first["pmids"], first["dropped"]) == (ROWS[0]["answer"], "101;102", "2")
    assert json.loads(first["spans"]) == ROWS[0]["spans"]
    assert (second["pmids"], second["spans"], second["settings"]) == ("", "[]", "abc")
    assert "\x9b" not in (tmp_path / "a.csv").read_text()


def test_what_json_lines_hold(tmp_path):
    write(tmp_path / "a.jsonl")
    text = (tmp_path / "a.jsonl").read_text()
    assert [json.loads(line) for line in text.splitlines()] == [{**row, "settings": "abc"} for row in ROWS]
    assert "\x9b" not in text


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_a_file_that_was_cut_anywhere_is_made_whole(tmp_path, suffix, monkeypatch):
    """A kill may leave any beginning of the file."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    path = tmp_path / f"a.{suffix}"
    whole = write(path)
    questions = [row["question"] for row in ROWS]
    asked_again = set()
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        with AnswerFile.open(path, "abc") as file:
            left = file.unanswered(questions)
            for row in ROWS[len(ROWS) - len(left) :]:
                file.add(row)
        assert path.read_bytes() == whole
        asked_again.add(len(left))
    assert asked_again == {0, 1, 2}


def test_a_question_that_is_asked_twice_has_two_rows(tmp_path):
    write(tmp_path / "a.csv", ROWS[1:])
    question = ROWS[1]["question"]
    with AnswerFile.open(tmp_path / "a.csv", "abc") as file:
        assert file.unanswered([question, question, "Why?"]) == [question, "Why?"]


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
@pytest.mark.parametrize(
    "content", [b"my notes", b"my notes\n", b'question,answer\n"Why?","Because"\n', b'{"question": "Why?"}\n', b"[1]\n"]
)
def test_a_file_of_something_else_stays_as_it_is(tmp_path, suffix, content):
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(content)
    with pytest.raises(InputError, match="not a file of answers"), AnswerFile.open(path, "abc"):
        pass
    assert path.read_bytes() == content


def test_answers_of_other_settings_are_not_mixed(tmp_path):
    before = write(tmp_path / "a.csv")
    with pytest.raises(InputError, match="made with other settings"), AnswerFile.open(tmp_path / "a.csv", "other"):
        pass
    assert (tmp_path / "a.csv").read_bytes() == before


def test_two_runs_do_not_write_one_file(tmp_path):
    with (
        AnswerFile.open(tmp_path / "a.csv", "abc"),
        pytest.raises(InputError, match="another run"),
        AnswerFile.open(tmp_path / "a.csv", "abc"),
    ):
        pass
    with pytest.raises(InputError, match="Choose another folder"), AnswerFile.open(tmp_path / "none" / "a.csv", "abc"):
        pass


def answer_slowly(path, questions, calls):
    with AnswerFile.open(path, "abc") as file:
        for question in file.unanswered(questions):
            with calls.open("a") as log:
                log.write(f"{question}\n")
            time.sleep(0.002)
            file.add({**ROWS[0], "question": question})


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_a_run_that_is_killed_goes_on_where_it_was(tmp_path, suffix):
    path, calls = tmp_path / f"a.{suffix}", tmp_path / "calls"
    questions = [f"Question {number}?" for number in range(40)]
    moments, kills = random.Random(5), 0
    while kills < 6:
        process = started(answer_slowly, path, questions, calls)
        before = len(calls.read_text().splitlines()) if calls.exists() else 0
        enough = before + moments.randint(1, 5)
        while process.is_alive() and (not calls.exists() or len(calls.read_text().splitlines()) < enough):
            time.sleep(0.001)
        assert process.is_alive(), "it was done before the last kill"
        process.kill()
        process.join()
        kills += 1
    finish(started(answer_slowly, path, questions, calls), 60)
    if suffix == "csv":
        kept = [row["question"] for row in cells(path)]
    else:
        kept = [json.loads(line)["question"] for line in path.read_text().splitlines()]
    assert kept == questions
    # Each kill costs no more than the question that was under way.
    assert len(calls.read_text().splitlines()) <= len(questions) + kills


# --- the command ------------------------------------------------------------------------------------------------------


@pytest.fixture
def ask(medqa, index, tmp_path, monkeypatch):
    """The command over an index whose vectors are hashes of words, without a model."""
    monkeypatch.setattr("llama_index_medqa.components.open_embedder", lambda *arguments: None)
    monkeypatch.setattr("llama_index_medqa.components.open_index", lambda *arguments: index)
    (tmp_path / "questions.txt").write_text("\n".join(QUESTIONS))

    def run(*arguments, output="answers.csv"):
        files = ("--questions", "questions.txt", "--output", output)
        return medqa("ask", *files, "--llm", "extractive", "--index", tmp_path, *arguments)

    return run


def test_a_list_is_answered_and_not_asked_again(ask, tmp_path, monkeypatch):
    code, out, err = ask("--quiet")
    assert (code, err) == (0, "")
    assert "answers.csv: 1 answered, 0 with findings only, 1 with nothing found; 0 were there already." in out
    answered, refused = cells(tmp_path / "answers.csv")
    assert [answered["question"], refused["question"]] == QUESTIONS
    assert FINDING in answered["answer"].replace(" [PMID:101]", "")
    assert (answered["outcome"], answered["pmids"], answered["answered_by"]) == ("answer", "101", "extractive")
    assert FINDING.removesuffix(".") in json.loads(answered["spans"])[0]["quote"]
    assert (refused["outcome"], refused["pmids"], refused["spans"]) == ("nothing_found", "", "[]")
    monkeypatch.setattr("llama_index_medqa.components.open_embedder", lambda *_: pytest.fail("something is loaded"))
    code, out, _ = ask("--json")
    assert (code, json.loads(out)["were_there"]) == (0, 2)
    code, _, err = ask("--from-year", "2020")
    assert (code, "made with other settings" in err) == (1, True)


def test_a_question_that_fails_is_named_and_asked_again(ask, tmp_path, monkeypatch):
    from llama_index_medqa import components

    start = components.start_answer

    def failing(engine, question, papers):
        if question == QUESTIONS[0]:
            raise ServerError("The server broke off. Start it.")
        return start(engine, question, papers)

    monkeypatch.setattr(components, "start_answer", failing)
    code, out, _ = ask(output="answers.jsonl")
    assert code == 3
    assert f"asked again by the same command: {QUESTIONS[0]} (The server broke off. Start it.)" in out
    monkeypatch.setattr(components, "start_answer", start)
    assert ask(output="answers.jsonl")[0] == 0
    rows = [json.loads(line) for line in (tmp_path / "answers.jsonl").read_text().splitlines()]
    assert {row["question"] for row in rows} == set(QUESTIONS)


def test_a_server_that_is_gone_ends_the_run(ask, tmp_path, monkeypatch):
    (tmp_path / "questions.txt").write_text("\n".join(f"Question {number}?" for number in range(9)))
    asked = []

    def failing(engine, question, papers):
        asked.append(question)
        raise ServerError("No server answers. Start it.")

    monkeypatch.setattr("llama_index_medqa.components.start_answer", failing)
    code, _, err = ask()
    assert (code, err, len(asked)) == (1, "Error: No server answers. Start it.\n", 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("Does tea help?", "--questions", "questions.txt", "--output", "a.csv"), "either a question or --questions"),
        (("--questions", "questions.txt"), "go together"),
        (("Does tea help?", "--output", "a.csv"), "go together"),
        (("--questions", "questions.txt", "--output", "a.csv", "--why"), "are of one question"),
        (("--questions", "questions.txt", "--output", "a.csv", "--html", "a.html"), "are of one question"),
        (("--questions", "questions.txt", "--output", "a.xlsx"), "ends in .csv or .jsonl"),
        (("--questions", "questions.csv", "--output", "questions.csv"), "the same file"),
        ((), "The question is empty"),
    ],
)
def test_what_does_not_go_together(medqa, tmp_path, arguments, message):
    (tmp_path / "questions.txt").write_text("Why?\n")
    (tmp_path / "questions.csv").write_text("question\nWhy?\n")
    code, out, err = medqa("ask", *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err


def test_a_row_of_an_answer(index):
    from llama_index_medqa import MedQAQueryEngine

    response = MedQAQueryEngine.from_index(index, "extractive").query(QUESTIONS[0])
    row = answer_row(QUESTIONS[0], response, 1.234)
    assert set(row) == set(COLUMNS) - {"settings"}
    assert (row["pmids"], row["seconds"], row["dropped"]) == (["101"], 1.23, len(response.dropped))
    text = next(item for item in response.source_nodes if item.node.metadata.get("pmid") == "101").node.text
    assert all(span["quote"] in text or span["document_id"] == "PMID:101" for span in row["spans"])
