"""Questions asked through a real engine: what is recorded, kept and asked again."""

import json

import httpx
import pytest
from llama_index.core.base.llms.types import ChatMessage
from llama_index.llms.openai_like import OpenAILike

from benchmarks.answering import asking
from benchmarks.answering.asking import Answering, Question, answers_file, ask_all, kept_answers, questions_of
from benchmarks.common.answer_sets import AnswerSet
from benchmarks.common.cached_llm import KeptDrafts
from llama_index_medqa.components import open_engine
from llama_index_medqa.evaluation.cases import EvaluationCase
from llama_index_medqa.profiles import EMBEDDED

PIECES = ["Green tea lowered the resting heart rate by 3.5 beats ", "per minute compared with water. It", " cures all."]
CASE = EvaluationCase("q1", "Does green tea lower the resting heart rate?", gold_documents=("PMID:101",))


def answer_set(*cases):
    return AnswerSet("Green", [], [], list(cases), [], [])


@pytest.fixture
def server(tmp_path):
    """A model behind a server that streams the pieces, and the bodies of its requests."""
    requests = []

    def answer(request):
        requests.append(json.loads(request.content))
        start = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
        choices = [
            *([{"index": 0, "delta": {"content": text}, "finish_reason": None}] for text in PIECES),
            [{"index": 0, "delta": {}, "finish_reason": "stop"}],
        ]
        events = [{**start, "choices": choice} for choice in choices]
        usage = {"prompt_tokens": 90, "completion_tokens": 20, "total_tokens": 110}
        events.append({**start, "choices": [], "usage": usage})
        lines = "".join(f"data: {json.dumps(event)}\n\n" for event in events)
        return httpx.Response(200, text=f"{lines}data: [DONE]\n\n", headers={"content-type": "text/event-stream"})

    client = httpx.Client(transport=httpx.MockTransport(answer))
    model = OpenAILike(model="m", api_base="http://m/v1", api_key="none", is_chat_model=True, http_client=client)
    return model, requests


def test_a_draft_is_given_again_in_its_pieces(server, tmp_path):
    model, requests = server
    messages = [ChatMessage(role="user", content="Does it?")]
    first = [part.delta for part in KeptDrafts(model, tmp_path / "drafts.jsonl").stream_chat(messages)]
    drafts = KeptDrafts(model, tmp_path / "drafts.jsonl")
    again = list(drafts.stream_chat(messages))
    assert len(requests) == 1
    assert [part.delta for part in again] == first
    assert [delta for delta in first if delta] == PIECES
    assert again[-1].raw.usage.prompt_tokens == 90
    assert drafts.chat(messages).message.content == "".join(PIECES)
    row = json.loads((tmp_path / "drafts.jsonl").read_text())
    assert [length for _, length in row["pieces"]] == list(map(len, PIECES))
    assert drafts.seconds == row["seconds"]


def test_the_seconds_are_those_up_to_the_piece(server, tmp_path):
    model, _ = server
    file, messages = tmp_path / "drafts.jsonl", [ChatMessage(role="user", content="Does it?")]
    list(KeptDrafts(model, file).stream_chat(messages))
    row = json.loads(file.read_text())
    row |= {"pieces": [[1.0, len(PIECES[0])], [2.5, len(PIECES[1])], [3.0, len(PIECES[2])]], "seconds": 4.0}
    file.write_text(json.dumps(row) + "\n")
    drafts = KeptDrafts(model, file)
    assert [drafts.seconds for _ in drafts.stream_chat(messages)] == [1.0, 2.5, 3.0, 3.0, 3.0]
    assert drafts.seconds == 4.0


def test_drafts_that_were_kept_in_one_piece_are_read(server, tmp_path):
    model, requests = server
    file, messages = tmp_path / "drafts.jsonl", [ChatMessage(role="user", content="Does it?")]
    list(KeptDrafts(model, file).stream_chat(messages))
    row = json.loads(file.read_text())
    del row["pieces"]
    file.write_text(json.dumps(row) + "\n")
    assert [part.delta for part in KeptDrafts(model, file).stream_chat(messages) if part.delta] == ["".join(PIECES)]
    assert len(requests) == 1


def test_what_a_model_did_is_recorded(index, server, tmp_path):
    drafts = KeptDrafts(server[0], tmp_path / "drafts.jsonl")
    answering = Answering(open_engine(EMBEDDED, index, drafts), index, EMBEDDED, drafts)
    row = answering.row(Question(answer_set(CASE), CASE, False))
    assert row["response"]["outcome"] == "answer"
    assert [sentence["text"] for sentence in row["response"]["sentences"]][:2] == [
        "Yes.",
        "Green tea lowered the resting heart rate by 3.5 beats per minute compared with water.",
    ]
    assert row["cited"][0] == "PMID:101"
    assert row["retrieved"][0] == "PMID:101"
    assert any(chunk["document_id"] == "PMID:101" and "3.5 beats" in chunk["text"] for chunk in row["chunks"])
    assert any(part["document_id"] == "PMID:101" and "3.5 beats" in part["text"] for part in row["shown"])
    assert row["response"]["seconds"]["generate"] == drafts.seconds
    assert 0 < row["first_sentence_seconds"] <= sum(row["response"]["seconds"].values())
    assert json.loads(json.dumps(row)) == row


def test_papers_are_taken_out_of_what_is_retrieved(index):
    answering = Answering(open_engine(EMBEDDED, index, "extractive"), index, EMBEDDED, None)
    row = answering.row(Question(answer_set(CASE), CASE, True))
    assert row["gold_removed"]
    assert "PMID:101" not in row["retrieved"]
    assert row["retrieved"]
    assert row["response"]["outcome"] != "answer"
    assert row["first_sentence_seconds"] is None
    # The engine itself still has them.
    assert "PMID:101" in answering.row(Question(answer_set(CASE), CASE, False))["cited"]


def test_questions_are_ordered_for_an_interruption():
    others = AnswerSet("Other", [], [], [EvaluationCase("o1", "?")], [], [])
    cases = [EvaluationCase(name, "?") for name in ("a", "b", "c")]
    keys = [question.key for question in questions_of([answer_set(*cases), others], "calibration", 2)]
    assert keys == [
        ("Green", "a", False),
        ("Green", "a", True),
        ("Other", "o1", False),
        ("Other", "o1", True),
        ("Green", "b", False),
        ("Green", "b", True),
    ]
    assert questions_of([answer_set(*cases)], "final", 2) == []


def test_only_what_this_code_has_not_answered_is_asked(monkeypatch, tmp_path):
    asked = []

    def answers(sets, questions, work, drafter):
        for question in questions:
            asked.append(question.case.case_id)
            name, case_id, gold_removed = question.key
            response = {"sentences": [], "outcome": "nothing_found", "abstained": "no_evidence", "seconds": {}}
            yield question, {"set": name, "case": case_id, "gold_removed": gold_removed, "response": response}

    monkeypatch.setattr(asking, "_answers", answers)
    chosen = answer_set(CASE, EvaluationCase("q2", "?"))
    first = [question for question in questions_of([chosen], "calibration", 1) if not question.gold_removed]
    both = [question for question in questions_of([chosen], "calibration", 2) if not question.gold_removed]
    monkeypatch.setattr(asking, "code_hash", lambda: "old")
    ask_all([chosen], both, tmp_path, "calibration", "extractive")
    monkeypatch.setattr(asking, "code_hash", lambda: "new")
    ask_all([chosen], first, tmp_path, "calibration", "extractive")
    rows = ask_all([chosen], both, tmp_path, "calibration", "extractive")
    assert asked == ["q1", "q2", "q1", "q2"]
    assert [(row["case"], row["code"]) for row in rows] == [("q1", "new"), ("q2", "new")]
    file = answers_file(tmp_path, "calibration", "extractive")
    assert len(kept_answers(file)) == 2
    assert len(kept_answers(file, "old")) == 2
    assert kept_answers(tmp_path / "none.jsonl") == []


def test_any_change_of_the_package_is_another_code(monkeypatch, tmp_path):
    module = tmp_path / "llama_index_medqa/part.py"
    module.parent.mkdir()
    module.write_text("A = 1\n")
    monkeypatch.setattr(asking, "ROOT", tmp_path)
    first = asking.code_hash()
    assert asking.code_hash() == first
    (module.parent / "__pycache__").mkdir()
    (module.parent / "__pycache__/part.pyc").write_bytes(b"1")
    assert asking.code_hash() == first
    module.write_text("A = 2\n")
    assert asking.code_hash() != first
