"""ragas with the embedded judge: real metrics, a real model, schema-constrained JSON on llama.cpp."""

import json

import pytest

from llama_index_medqa.evaluation.results import read_results

pytestmark = pytest.mark.integration

CASE = {
    "id": "1",
    "question": "Does green tea lower the resting heart rate?",
    "gold_pmids": ["101"],
    "gold_answer": "Green tea lowers the resting heart rate.",
}
EVIDENCE = [{"document_id": "PMID:101", "text": "Green tea lowered the resting heart rate by 3.5 beats per minute."}]
ANSWER = {"text": "Green tea lowered the resting heart rate by 3.5 beats per minute.", "evidence": EVIDENCE}


def test_the_embedded_judge_scores_a_case_and_is_not_asked_again(tmp_path, monkeypatch, medqa):
    # The weights lie in this user's own cache.
    monkeypatch.delenv("MEDQA_CACHE_DIR")
    (tmp_path / "cases.jsonl").write_text(json.dumps(CASE))
    (tmp_path / "answers.jsonl").write_text(json.dumps({"id": "1", "answer": ANSWER}))
    asked = ["evaluate", "cases.jsonl", "--answers", "answers.jsonl", "--output", "r.json", "--judge-concurrency", 2]
    asked += ["--measure", "Faithfulness(ragas)", "--measure", "ContextRecall(ragas)", "--judge-max-tokens", 300]
    code, out, _ = medqa(*asked)
    assert (code, "Judge: 3 calls" in out) == (0, True)
    results = read_results("r.json")
    # The evidence says it word by word.
    assert {name: score.value for name, score in results.cases[0].scores.items()} == {
        "Faithfulness(ragas)": 1.0,
        "ContextRecall(ragas)": 1.0,
    }
    judge = results.measures[0].judge
    assert (judge["model"], judge["weights"]) == ("qwen2.5-coder-1.5b-instruct", "cc324af070c2ecbf")
    tokens = results.run["judge"]["prompt_tokens"]
    assert tokens > 1_000
    assert "Judge: 0 calls, 3 answers of earlier runs" in medqa(*asked)[1]
    assert read_results("r.json").run["judge"]["prompt_tokens"] == tokens
