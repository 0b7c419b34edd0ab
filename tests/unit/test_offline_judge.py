"""The offline judge and its signals, with a deterministic embedder and a scripted server; the choice of judges."""

import json
import math

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_index_medqa.attribution import Attributor
from llama_index_medqa.errors import InputError
from llama_index_medqa.evaluation.judges import offline
from llama_index_medqa.evaluation.judges.attribution import AttributionJudge, passages_from
from llama_index_medqa.evaluation.judges.by_name import JUDGES, judge_of
from llama_index_medqa.evaluation.judges.language_model import LogOddsJudge
from llama_index_medqa.evaluation.judges.measured import measured_quality
from llama_index_medqa.evaluation.judges.offline import OfflineJudge, Regression
from llama_index_medqa.evaluation.judges.signals import shown_to_model, signals_of
from llama_index_medqa.evaluation.model_calls import JudgeServer, ModelCalls
from llama_index_medqa.evaluation.score import Score
from llama_index_medqa.testing import HashEmbedding
from tests.conftest import REPOSITORY

EVIDENCE = "Green tea lowered the resting heart rate by 3.5 beats per minute. Coffee did not change the heart rate."
EMBEDDER = HashEmbedding(model_name="multilingual-e5-small-0.3.0", dimension=384)
QWEN = "qwen2.5-coder-1.5b-instruct"


def signals(claim, evidence=EVIDENCE):
    passages = passages_from([evidence])
    (candidates,) = Attributor(EMBEDDER).candidates_of_all([claim], passages)
    return signals_of(claim, passages, candidates, 0.0)


def test_signals_tell_what_is_said_denied_and_missing():
    said = signals("Green tea lowered the heart rate.")
    assert (said.coverage, said.number, said.entity) == (pytest.approx(1), 0, 0)
    assert said.contrary < 0
    denied = signals("Coffee changes the heart rate.")
    assert denied.contrary > said.contrary
    assert signals("Green tea lowered the heart rate by 9 beats per minute.").number == 1
    assert signals("Metoprolol lowered the heart rate.").entity == 1
    assert signals("Vaccines prevent measles.").coverage == 0


def test_evidence_without_a_sentence_that_states_anything_tells_nothing():
    nothing = signals("Tea helps.", "Does tea help?")
    assert (nothing.words, nothing.meaning, nothing.support) == (0, 0, 0)


def test_long_evidence_is_cut_to_the_nearest_sentences_in_their_order():
    sentences = [f"Filler sentence number {number} tells of the weather in that town." for number in range(40)]
    long = " ".join([*sentences[:20], "Green tea lowered the heart rate.", *sentences[20:]])
    passages = passages_from([long])
    claim = "Green tea lowers the heart rate."
    (candidates,) = Attributor(EMBEDDER).candidates_of_all([claim], passages)
    shown = shown_to_model(passages, candidates)
    assert "Green tea lowered the heart rate." in shown
    assert len(shown.split()) <= 130
    places = [long.index(sentence.strip(".")) for sentence in shown.split(". ")]
    assert places == sorted(places)
    short = passages_from([EVIDENCE])
    assert shown_to_model(short, Attributor(EMBEDDER).candidates(claim, short)) == EVIDENCE


@given(st.floats(-5, 5), st.floats(-5, 5), st.floats(-1e6, 1e6))
def test_a_regression_is_the_logistic_function_of_a_sum(constant, weight, value):
    chance = Regression(constant, {"words": weight}).chance({"words": value, "other": 7.0})
    logit = constant + weight * value
    expected = 1 / (1 + math.exp(-logit)) if logit > -700 else 0.0
    assert chance == pytest.approx(expected, abs=1e-9)


def served(tmp_path, handle, model=QWEN):
    server = JudgeServer("http://judge.test/v1", model)
    return ModelCalls.open(server, tmp_path / "judge.jsonl", transport=httpx.MockTransport(handle))


def chances(yes, no, maybe):
    tokens = [
        {"token": word, "logprob": math.log(chance)} for word, chance in (("Yes", yes), ("No", no), ("Maybe", maybe))
    ]
    return httpx.Response(200, json={"choices": [{"logprobs": {"content": [{"top_logprobs": tokens}]}}]})


async def test_the_model_s_opinion_enters_as_two_odds(tmp_path, monkeypatch):
    weights = Regression(0.5, {"against_contrary": 1.0, "against_silence": 0.25})
    monkeypatch.setattr(offline, "WITH_MODEL", weights)
    async with served(tmp_path, lambda _: chances(0.6, 0.1, 0.3)) as calls:
        (score,) = await OfflineJudge(EMBEDDER, LogOddsJudge(calls)).score_all(["Tea helps."], [EVIDENCE])
    logit = 0.5 + math.log(6) + 0.25 * math.log(2)
    assert score.value == pytest.approx(1 / (1 + math.exp(-logit)))


async def test_a_claim_that_the_model_failed_on_has_no_score_and_the_others_have(tmp_path):
    def handle(request):
        asked = json.loads(request.content)["messages"][-1]["content"]
        return httpx.Response(500, text="out of memory") if "Coffee helps" in asked else chances(0.6, 0.1, 0.3)

    async with served(tmp_path, handle) as calls:
        scores = await OfflineJudge(EMBEDDER, LogOddsJudge(calls)).score_all(
            ["Tea helps.", "Coffee helps."], [EVIDENCE]
        )
    assert scores[0].value is not None
    assert scores[1] == Score.unscored("judge HTTP 500", "out of memory")


async def test_without_a_model_it_is_another_judge(tmp_path):
    alone = OfflineJudge(EMBEDDER)
    async with served(tmp_path, lambda _: chances(0.6, 0.1, 0.3)) as calls:
        whole = OfflineJudge(EMBEDDER, LogOddsJudge(calls))
        assert (alone.name, whole.name) == ("offline-without-model", "offline")
        assert whole.identity["model"] == QWEN
    assert alone.identity != whole.identity
    first, second = await alone.score_all(
        ["Green tea lowered the heart rate.", "Vaccines prevent measles."], [EVIDENCE]
    )
    assert first.value > second.value


async def test_other_models_than_it_was_calibrated_for_are_refused(tmp_path):
    with pytest.raises(InputError, match="calibrated for multilingual-e5-small, not for hash"):
        OfflineJudge(HashEmbedding())
    async with served(tmp_path, lambda _: chances(0.6, 0.1, 0.3), model="gpt-5") as calls:
        with pytest.raises(InputError, match=f"calibrated for {QWEN}, not for gpt-5"):
            OfflineJudge(EMBEDDER, LogOddsJudge(calls))


async def test_judges_are_known_by_the_names_that_they_have(tmp_path):
    async with served(tmp_path, lambda _: chances(0.6, 0.1, 0.3)) as calls:
        assert [judge_of(name, calls, EMBEDDER).name for name in JUDGES] == list(JUDGES)
    with pytest.raises(InputError, match="There is no judge 'oracle': choose attribution, offline"):
        judge_of("oracle")
    with pytest.raises(InputError, match="'offline' needs a language model and an embedder"):
        judge_of("offline")
    with pytest.raises(InputError, match="'log-odds' needs a language model"):
        judge_of("log-odds")


def test_weights_and_quality_are_those_that_were_measured():
    found = json.loads((REPOSITORY / "benchmarks" / "results" / "judge_quality.json").read_text())
    for name, regression in (("offline", offline.WITH_MODEL), ("offline-without-model", offline.WITHOUT_MODEL)):
        assert {"constant": regression.constant, "weights": dict(regression.weights)} == found["regressions"][name]
    for judge in (OfflineJudge(EMBEDDER), AttributionJudge()):
        told = measured_quality(judge.identity)
        assert told == {name: figures["auroc"] for name, figures in found["rows"][judge.name].items()}
    served = {**found["judge"], "weights": "0123456789abcdef"}
    assert measured_quality(served) == {name: one["auroc"] for name, one in found["rows"]["offline"].items()}
    assert measured_quality({**served, "prompt": 0}) is None


@pytest.mark.parametrize("name", ["suite", "adapter"])
def test_the_baselines_were_judged_by_the_judge_that_is_compared_with_them(name):
    """Take them again (``make baseline``, ``make baseline-adapter``) where the judge has another version."""
    baseline = json.loads((REPOSITORY / "benchmarks" / "baselines" / f"{name}.json").read_text())
    judges = [measure.get("judge") for measure in baseline["measures"] if measure["name"].endswith("(attribution)")]
    assert judges == [AttributionJudge().identity] * 2
