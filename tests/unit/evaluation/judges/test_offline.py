"""The judges that need no key, with a scripted entailment model and a scripted server; the choice of judges."""

import asyncio
import json
import math

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_index_medqa.errors import InputError
from llama_index_medqa.evaluation.judges import measured
from llama_index_medqa.evaluation.judges.by_name import JUDGES, judge_of
from llama_index_medqa.evaluation.judges.calibration import LabelledPair, judge_pairs
from llama_index_medqa.evaluation.judges.language_model import LogOddsJudge, Opinion
from llama_index_medqa.evaluation.judges.measured import measured_quality
from llama_index_medqa.evaluation.judges.model_calls import JudgeServer, ModelCalls
from llama_index_medqa.evaluation.judges.offline import OfflineJudge, combined, shown_to_model
from llama_index_medqa.evaluation.judges.verifier import VerifierJudge, own_work, passages_from
from llama_index_medqa.evaluation.score import Score
from llama_index_medqa.testing import ScriptedEntailment
from llama_index_medqa.verification.entailment import Entailment
from llama_index_medqa.verification.verifier import ClaimVerifier
from tests.conftest import REPOSITORY

EVIDENCE = "Green tea lowered the resting heart rate by 3.5 beats per minute. Coffee did not change the heart rate."
SAID, DENIED = "The heart beats more slowly with green tea.", "Coffee changes the heart rate."
MODEL = "small-model"
MIDDLE = Opinion(0.6, 0.1, 0.3)


def verifier(script=None, **settings):
    """A verifier whose model gives these chances of support, by claim; none to other claims."""
    chances = {SAID: 0.8, DENIED: 0.2} if script is None else script

    def told(_, claim):
        return Entailment(chances.get(claim, 0.0), 1 - chances.get(claim, 0.0), 0.0)

    return ClaimVerifier(ScriptedEntailment(told, **settings))


def served(tmp_path, handle, model=MODEL):
    server = JudgeServer("http://judge.test/v1", model, more={"weights": "0123"})
    return ModelCalls.open(server, tmp_path / "judge.jsonl", transport=httpx.MockTransport(handle))


def chances(yes, no, maybe):
    tokens = [
        {"token": word, "logprob": math.log(chance)} for word, chance in (("Yes", yes), ("No", no), ("Maybe", maybe))
    ]
    return httpx.Response(200, json={"choices": [{"logprobs": {"content": [{"top_logprobs": tokens}]}}]})


async def test_the_verifier_gives_verdicts_and_for_calibration_its_chances():
    judge = VerifierJudge(verifier({SAID: 0.8, DENIED: 0.69}))
    assert [one.value for one in await judge.score_all([SAID, DENIED], [EVIDENCE])] == [1.0, 0.0]
    assert [one.value for one in await judge.chances([SAID, DENIED], [EVIDENCE])] == [0.8, 0.69]
    pairs = [LabelledPair(f"{SAID} {DENIED}", EVIDENCE, "neutral", "1"), LabelledPair(SAID, EVIDENCE, "supported", "2")]
    assert [one.value for one in await judge_pairs(judge, pairs)] == [pytest.approx((0.8 + 0.69) / 2), 0.8]


async def test_what_is_supported_by_no_more_than_a_wrong_number_is_not():
    wrong = "Green tea lowered the resting heart rate by 9 beats per minute."
    judge = VerifierJudge(verifier({wrong: 0.99}))
    assert await judge.score_all([wrong], [EVIDENCE]) == await judge.chances([wrong], [EVIDENCE]) == [Score.of(0)]


def test_the_verifier_is_known_by_its_model_and_its_settings():
    assert VerifierJudge(verifier()).identity == {
        **verifier().identity,
        "judge": "verifier",
        "verifier": "scripted",
        "strictness": "balanced",
    }


@given(st.floats(0.001, 0.999), st.floats(0.001, 0.999))
def test_two_opinions_have_the_same_weight(support, yes):
    """The mean of two log-odds is the geometric mean of the odds."""
    odds = math.sqrt(support / (1 - support) * yes / (1 - yes))
    opinion = Opinion(yes, (1 - yes) / 3, (1 - yes) * 2 / 3)
    assert combined(support, opinion) == pytest.approx(odds / (1 + odds))
    swapped = Opinion(support, 0.0, 1 - support)
    assert combined(yes, swapped) == pytest.approx(combined(support, opinion))


def test_certainty_does_not_outvote_the_other():
    assert combined(0.0, Opinion(1.0, 0.0, 0.0)) == pytest.approx(0.5)
    # Odds of 1 : 999 and of 1 : 1 have the mean 1 : sqrt(999).
    assert combined(0.0, Opinion(0.5, 0.25, 0.25)) == pytest.approx(1 / (1 + math.sqrt(999)))


async def test_offline_is_the_mean_of_verifier_and_language_model(tmp_path):
    async with served(tmp_path, lambda _: chances(*MIDDLE)) as calls:
        (score,) = await OfflineJudge(LogOddsJudge(calls), verifier()).score_all([SAID], [EVIDENCE])
    odds = math.sqrt(0.8 / 0.2 * 0.6 / 0.4)
    assert score.value == pytest.approx(odds / (1 + odds))


async def test_a_claim_that_the_model_failed_on_has_no_score_and_the_others_have(tmp_path):
    def handle(request):
        asked = json.loads(request.content)["messages"][-1]["content"]
        return httpx.Response(500, text="out of memory") if DENIED in asked else chances(*MIDDLE)

    async with served(tmp_path, handle) as calls:
        scores = await OfflineJudge(LogOddsJudge(calls), verifier()).score_all([SAID, DENIED], [EVIDENCE])
    assert scores[0].value is not None
    assert scores[1] == Score.unscored("judge HTTP 500", "out of memory")


async def test_offline_is_known_by_both_of_its_parts(tmp_path):
    async with served(tmp_path, lambda _: chances(*MIDDLE)) as calls:
        identity = OfflineJudge(LogOddsJudge(calls), verifier()).identity
        other = OfflineJudge(LogOddsJudge(calls), verifier(name="another")).identity
    assert (identity["judge"], identity["version"], identity["model"]) == ("offline", 3, MODEL)
    assert identity["verifier"] == verifier().identity
    assert identity != other
    assert json.loads(json.dumps(identity)) == identity


def test_long_evidence_is_cut_to_the_nearest_sentences_in_their_order():
    filler = [f"Filler sentence number {number} tells of the weather in that town." for number in range(40)]
    near = "Green tea lowered the heart rate."
    long = " ".join([*filler[:20], near, *filler[20:]])
    shown = shown_to_model("Green tea lowers the heart rate.", passages_from([long]))
    assert near in shown
    assert len(shown.split()) <= 90
    positions = [long.index(sentence.strip(".")) for sentence in shown.split(". ")]
    assert positions == sorted(positions)


def test_of_several_texts_the_nearest_is_shown_and_short_evidence_whole():
    filler = " ".join(f"Filler sentence number {number} tells of the weather in that town." for number in range(12))
    shown = shown_to_model(SAID, passages_from([filler, f"{filler} The heart beat more slowly with green tea."]))
    assert "The heart beat more slowly with green tea." in shown
    assert shown_to_model(SAID, passages_from([EVIDENCE])) == EVIDENCE
    assert shown_to_model("Vaccines prevent measles.", passages_from(["word " * 300])).split() == ["word"] * 120


async def test_judges_are_known_by_the_names_that_they_have(tmp_path):
    async with served(tmp_path, lambda _: chances(*MIDDLE)) as calls:
        assert [judge_of(name, calls, verifier()).name for name in JUDGES] == list(JUDGES)
    with pytest.raises(InputError, match="There is no judge 'oracle': choose verifier, offline, log-odds, verdict"):
        judge_of("oracle")
    for name in ("offline", "log-odds", "verdict"):
        with pytest.raises(InputError, match=f"'{name}' needs a language model"):
            judge_of(name)


@pytest.mark.parametrize("name", ["attribution", "offline-without-model"])
def test_a_judge_that_is_no_more_names_the_one_that_took_its_place(name):
    with pytest.raises(InputError, match=f"'{name}' is no more: choose 'verifier'"):
        judge_of(name)


def test_own_work_is_told_of_the_same_model_whatever_its_strictness():
    decided = ClaimVerifier(ScriptedEntailment(), strictness="open").identity
    told = own_work(VerifierJudge(verifier()).identity, decided)
    assert told == "judged by the verifier that also decided in the engine: the system marked its own work"
    partly = own_work({"judge": "offline", "verifier": dict(verifier().identity)}, decided)
    assert partly.startswith("judged in part by the verifier that also decided in the engine")
    for judge in (VerifierJudge(verifier(name="another")).identity, {"judge": "log-odds", "model": MODEL}):
        assert own_work(judge, decided) == ""


def test_figures_are_told_of_the_judge_that_was_measured_and_of_no_other(monkeypatch):
    known = {"judge": "offline", "version": 3, "verifier": {"sha256": "ab"}}
    monkeypatch.setattr(measured, "_measured", lambda: [{"judge": known, "auroc": {"SciFact": [0.8, 0.7, 0.9]}}])
    assert measured_quality({**known, "weights": "0123"}) == {"SciFact": [0.8, 0.7, 0.9]}
    assert measured_quality({**known, "verifier": {"sha256": "cd"}}) is None


@pytest.mark.parametrize("name", ["suite", "adapter"])
def test_the_baselines_were_judged_by_the_judge_that_is_compared_with_them(name):
    """Take them again (``make baseline``, ``make baseline-adapter``) where the judge has another version."""
    baseline = json.loads((REPOSITORY / "benchmarks" / "gates" / "baselines" / f"{name}.json").read_text())
    judges = [measure.get("judge") for measure in baseline["measures"] if measure["name"].endswith("(verifier)")]
    assert judges == [VerifierJudge().identity] * 2


def test_answers_can_be_judged_side_by_side():
    judge = VerifierJudge(verifier())

    async def all_at_once():
        return await asyncio.gather(*(judge.score_all([SAID], [EVIDENCE]) for _ in range(20)))

    assert asyncio.run(all_at_once()) == [[Score.of(1)]] * 20
