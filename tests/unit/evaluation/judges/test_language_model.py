"""Judges behind a server: what is asked, what is read from its answers, and what becomes of failures."""

import json
import math

import httpx
import pytest

from llama_index_medqa.evaluation.judges.language_model import LogOddsJudge, Opinion, VerdictJudge, messages
from llama_index_medqa.evaluation.judges.model_calls import JudgeServer, ModelCalls

SERVER = JudgeServer("http://judge.test/v1", "some-model")


async def judged(tmp_path, kind, answer, claims=("Tea helps.",), evidence=("Tea was drunk.", "It helped.")):
    """Scores of a judge whose server answers what ``answer`` makes of a request, and the requests."""
    asked = []

    def handle(request):
        asked.append(json.loads(request.content))
        return answer(asked[-1])

    transport = httpx.MockTransport(handle)
    async with ModelCalls.open(SERVER, tmp_path / "judge.jsonl", transport=transport, timeout=5.0) as calls:
        return await kind(calls).score_all(claims, evidence), asked


def probabilities(**chances):
    """An answer whose first token has these chances, as llama.cpp and vLLM give them."""
    tokens = [{"token": token, "logprob": math.log(chance)} for token, chance in chances.items()]
    first = {"token": tokens[0]["token"], "logprob": tokens[0]["logprob"], "top_logprobs": tokens}
    return httpx.Response(200, json={"choices": [{"message": {"content": "Yes"}, "logprobs": {"content": [first]}}]})


def said(text, reason="stop"):
    return httpx.Response(200, json={"choices": [{"message": {"content": text}, "finish_reason": reason}]})


async def test_the_score_is_the_share_of_yes_among_the_three_answers(tmp_path):
    answer = probabilities(Yes=0.5, No=0.1, Maybe=0.2, yes=0.1, Perhaps=0.1)
    scores, asked = await judged(tmp_path, LogOddsJudge, lambda _: answer)
    assert [one.value for one in scores] == [pytest.approx(0.6 / 0.9)]
    assert {key: asked[0][key] for key in ("model", "max_tokens", "temperature", "logprobs")} == {
        "model": "some-model",
        "max_tokens": 1,
        "temperature": 0,
        "logprobs": True,
    }
    assert asked[0]["messages"][-1]["content"] == "Evidence: Tea was drunk.\nIt helped.\n\nClaim: Tea helps."


async def test_an_answer_that_is_not_among_the_likeliest_is_very_unlikely_and_not_impossible(tmp_path):
    async with ModelCalls.open(
        SERVER, tmp_path / "j.jsonl", transport=httpx.MockTransport(lambda _: probabilities(Yes=0.9, No=0.1))
    ) as calls:
        (opinion,) = await LogOddsJudge(calls).opinions([("Tea helps.", "Tea.")])
    assert isinstance(opinion, Opinion)
    assert sum(opinion) == pytest.approx(1)
    assert 0 < opinion.silent < 1e-5


def test_claims_of_one_text_share_all_but_their_ends():
    first, second = (messages(claim, "Tea was drunk.") for claim in ("Tea helps.", "Tea harms."))
    assert first[:-1] == second[:-1]
    assert first[-1]["content"].removesuffix("Tea helps.") == second[-1]["content"].removesuffix("Tea harms.")
    # Examples of all three answers, none of them about what is judged.
    assert {one["content"] for one in first if one["role"] == "assistant"} == {"Yes", "No", "Maybe"}


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (probabilities(The=0.9, A=0.1), "judge without verdict"),
        (said("Yes"), "judge without log-probabilities"),
        (httpx.Response(200, json={"choices": []}), "judge without log-probabilities"),
        (httpx.Response(200, text="<html>"), "judge unreadable"),
        (httpx.Response(503, text="busy"), "judge HTTP 503"),
    ],
)
async def test_failures_of_the_log_odds_are_outcomes(tmp_path, answer, reason):
    scores, _ = await judged(tmp_path, LogOddsJudge, lambda _: answer)
    assert [(one.value, one.reason) for one in scores] == [(None, reason)]


async def test_one_claim_that_fails_leaves_the_others(tmp_path):
    def answer(body):
        return httpx.Response(500) if "harms" in body["messages"][-1]["content"] else probabilities(Yes=1.0)

    scores, _ = await judged(tmp_path, LogOddsJudge, answer, claims=("Tea helps.", "Tea harms."))
    assert scores[0].value == pytest.approx(1, abs=1e-5)
    assert scores[1].reason == "judge HTTP 500"


async def test_verdicts_are_bound_to_a_schema(tmp_path):
    verdicts = iter(["supported", "contradicted", "not said"])
    scores, asked = await judged(
        tmp_path, VerdictJudge, lambda _: said(json.dumps({"verdict": next(verdicts)})), claims=("A.", "B.", "C.")
    )
    assert sorted(one.value for one in scores) == [0, 0, 1]
    schema = asked[0]["response_format"]["json_schema"]["schema"]
    assert schema["properties"]["verdict"]["enum"] == ["supported", "contradicted", "not said"]


def lost(_):
    raise httpx.ConnectError("nobody there")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (lambda _: said('{"verdict": "supp', "length"), "judge truncated"),
        (lambda _: said(""), "judge said nothing"),
        (lambda _: said("It is supported."), "judge invalid JSON"),
        (lambda _: said("[1]"), "judge invalid JSON"),
        (lambda _: said('{"verdict": "perhaps"}'), "judge without verdict"),
        (lost, "judge unreachable"),
    ],
)
async def test_failures_of_verdicts_are_outcomes(tmp_path, answer, reason):
    scores, _ = await judged(tmp_path, VerdictJudge, answer)
    assert [(one.value, one.reason) for one in scores] == [(None, reason)]
