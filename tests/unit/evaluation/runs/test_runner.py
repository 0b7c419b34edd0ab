"""Asking a system: concurrently, each question once, whatever happens in between."""

import asyncio
import json
from dataclasses import replace

import pytest
from llama_index.core.base.llms.types import ChatMessage, ChatResponse, CompletionResponse
from llama_index.core.llms import LLM
from llama_index.core.llms.callbacks import llm_completion_callback
from llama_index.core.query_engine import CustomQueryEngine

from llama_index_medqa.errors import InputError
from llama_index_medqa.evaluation.answers import Answer, Evidence
from llama_index_medqa.evaluation.cases import EvaluationCase
from llama_index_medqa.evaluation.measures.catalogue import measures_of
from llama_index_medqa.evaluation.runs.journal import AnswerJournal, answer_key, read_answers
from llama_index_medqa.evaluation.runs.runner import collect
from llama_index_medqa.evaluation.runs.scoring import score_all
from llama_index_medqa.evaluation.runs.systems import QueryEngineSystem, StoredAnswers, load_engine
from llama_index_medqa.testing import ScriptedLLM

CASES = [EvaluationCase(str(number), f"Question {number}?", (f"PMID:{number}",)) for number in range(12)]


class Counting:
    """Answers after a moment, and remembers what was asked and how much at once."""

    def __init__(self, failing=()):
        self.identity = {"engine": "counting"}
        self.asked, self.at_once, self.most = [], 0, 0
        self.failing = failing

    async def answer(self, case):
        self.asked.append(case.case_id)
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        await asyncio.sleep(0.01)
        self.at_once -= 1
        if case.case_id in self.failing:
            raise ConnectionError("no\nserver")
        return Answer(f"Answer {case.case_id}.", (Evidence(case.gold_documents[0]),), seconds=0.5, prompt_tokens=3)


async def run(path, system, **options):
    with AnswerJournal.open(path) as journal:
        return await collect(CASES, system, journal, **options)


async def test_no_more_than_the_limit_are_under_way_and_replies_are_in_order(tmp_path):
    system, seen = Counting(), []
    replies = await run(tmp_path / "a.jsonl", system, concurrency=3, progress=seen.append)
    assert [reply.answer.text for reply in replies] == [f"Answer {number}." for number in range(12)]
    assert system.most == 3
    assert (seen[-1].done, seen[-1].questions, seen[-1].tokens) == (12, 12, 36)
    with pytest.raises(InputError, match="concurrency cannot be 0"):
        await run(tmp_path / "a.jsonl", system, concurrency=0)


async def test_a_second_run_asks_nothing_and_another_system_everything(tmp_path):
    first = await run(tmp_path / "a.jsonl", Counting())
    again = Counting()
    replies = await run(tmp_path / "a.jsonl", again)
    assert (again.asked, [reply.answer for reply in replies]) == ([], [reply.answer for reply in first])
    assert all(reply.was_kept for reply in replies)
    other = Counting()
    other.identity = {"engine": "other"}
    await run(tmp_path / "a.jsonl", other)
    assert len(other.asked) == 12


async def test_failures_are_outcomes_and_are_asked_again(tmp_path):
    replies = await run(tmp_path / "a.jsonl", Counting(failing=("3", "7")))
    assert [number for number, reply in enumerate(replies) if reply.answer is None] == [3, 7]
    assert replies[3].failure == "ConnectionError: no server"
    again = Counting()
    await run(tmp_path / "a.jsonl", again)
    assert again.asked == ["3", "7"]


async def test_a_question_that_takes_too_long_has_failed(tmp_path):
    replies = await run(tmp_path / "a.jsonl", Counting(), timeout=0.001)
    assert {reply.failure for reply in replies} == {"TimeoutError: no answer after 0.001 s"}


async def test_cases_with_one_question_share_its_answer(tmp_path):
    twins = [EvaluationCase(name, "Same?", ("PMID:1",)) for name in "ab"]
    system = Counting()
    with AnswerJournal.open(tmp_path / "a.jsonl") as journal:
        replies = await collect(twins, system, journal)
    assert len(system.asked) == 1
    assert replies[0] == replies[1]


async def test_half_a_line_is_cut_off_and_a_broken_one_is_told_of(tmp_path):
    path = tmp_path / "a.jsonl"
    await run(path, Counting())
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    again = Counting()
    await run(path, again)
    assert len(again.asked) == 1
    assert sorted(path.read_bytes().split(b"\n")) == sorted(whole.split(b"\n"))
    path.write_bytes(b"{]\n" + whole)
    with pytest.raises(InputError, match=r"a\.jsonl, line 1: not JSON"):
        await run(path, again)


def test_one_run_at_a_time(tmp_path):
    with AnswerJournal.open(tmp_path / "a.jsonl"), pytest.raises(InputError, match="another run"):
        AnswerJournal.open(tmp_path / "a.jsonl").__enter__()


def test_the_key_is_decided_by_system_and_question():
    assert answer_key({"a": 1, "b": 2}, "?") == answer_key({"b": 2, "a": 1}, "?")
    assert len({answer_key({"a": 1}, "?"), answer_key({"a": 2}, "?"), answer_key({"a": 1}, "!")}) == 3


async def test_stored_answers_of_other_systems(tmp_path):
    path = tmp_path / "answers.jsonl"
    rows = [{"id": 1, "answer": "Yes."}, {"id": "2", "answer": {"text": "No.", "evidence": ["PMID:2"], "cited": []}}]
    path.write_text("\n".join(map(json.dumps, rows)))
    stored = StoredAnswers(path)
    assert await stored.answer(CASES[1]) == Answer("Yes.")
    assert await stored.answer(CASES[2]) == Answer("No.", (Evidence("PMID:2"),), ())
    replies = await run(tmp_path / "j.jsonl", stored)
    assert "holds none for the case '0'" in replies[0].failure
    assert replies[0].outcome == "no stored answer"
    path.write_text("\n".join(map(json.dumps, [rows[0], rows[0]])))
    with pytest.raises(InputError, match="answers the case '1' twice"):
        StoredAnswers(path)


@pytest.mark.parametrize("line", ["[]", '{"id": 1}', '{"id": 1, "answer": 3}', '{"id": 1, "answer": {"cited": []}}'])
def test_what_is_no_file_of_answers_is_told_by_line(tmp_path, line):
    path = tmp_path / "a.jsonl"
    path.write_text(f"\n{line}\n")
    with pytest.raises(InputError, match=r"a\.jsonl, line 2"):
        list(read_answers(path))


async def test_stored_failures_are_outcomes_of_their_own(tmp_path):
    rows = [
        {"id": "0", "answer": {"text": "", "failure": "timeout"}},
        {"id": "1", "answer": None, "error": {"type": "ReadTimeout", "message": "timed out after 60 s"}},
        {"id": "2", "failure": "ServerError: 500"},
        {"id": "3", "answer": None},
        {"id": "4", "answer": float("nan")},
        {"id": "5", "answer": {"text": None}},
        {"id": "6", "answer": "", "error": "RateLimitError: too many requests"},
        {"id": "7", "answer": {"text": "Perhaps."}, "error": None},
        {"id": "8", "answer": ""},
    ]
    path = tmp_path / "answers.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    replies = await run(tmp_path / "j.jsonl", StoredAnswers(path))
    cases = [replace(case, gold_label="yes") for case in CASES]
    found = await score_all(cases, replies, measures_of(["Accuracy"]), system={})
    assert found.summary("Accuracy").unscored == {
        "timeout": 2,
        "system failed": 1,
        "no stored answer": 3 + 3,  # of cases 9 to 11 the file holds nothing
        "rate limit": 1,
        "unparsable": 1,
        "empty answer": 1,
    }
    assert replies[1].failure == "ReadTimeout: timed out after 60 s"
    # Failures are not kept.
    assert len(list(read_answers(tmp_path / "j.jsonl"))) == 2


class TellingLLM(ScriptedLLM):
    """Tells tokens as OpenAI-compatible servers do; its chat is made of its completion, so both events fire."""

    @llm_completion_callback()
    def complete(self, prompt, formatted=False, **kwargs):
        return CompletionResponse(text="Yes.", raw={"usage": {"prompt_tokens": 10, "completion_tokens": 2}})


class Asking(CustomQueryEngine):
    llm: LLM
    chats: bool = False

    def custom_query(self, query_str):
        if not self.chats:
            return str(self.llm.complete(query_str)) + str(self.llm.complete(query_str))
        answer: ChatResponse = self.llm.chat([ChatMessage(content=query_str)])
        return str(answer.message.content)


@pytest.mark.parametrize(("chats", "tokens"), [(False, (20, 4)), (True, (10, 2))])
async def test_tokens_are_counted_once_a_call(chats, tokens):
    system = QueryEngineSystem(Asking(llm=TellingLLM(["x"]), chats=chats), {})
    answers = await asyncio.gather(*map(system.answer, CASES[:3]))
    assert {(answer.prompt_tokens, answer.answer_tokens) for answer in answers} == {tokens}
    silent = await QueryEngineSystem(Asking(llm=ScriptedLLM(["x"])), {}).answer(CASES[0])
    assert (silent.tokens, silent.text) == (None, "xx")
    assert silent.seconds >= 0


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("engine", "takes package.module:function"),
        ("nowhere.at_all:engine", "No module named 'nowhere'"),
        ("json:engine", "has no function 'engine'"),
        ("time:time", "must return a LlamaIndex query engine, got float"),
    ],
)
def test_what_is_no_engine_is_told(name, message):
    with pytest.raises(InputError, match=message):
        load_engine(name)
