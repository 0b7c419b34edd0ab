"""The offline judge with its real models, on sentences written for this test."""

import pytest

from llama_index_medqa.evaluation.judges.judge_server import open_judge
from llama_index_medqa.evaluation.judges.language_model import LogOddsJudge, VerdictJudge
from llama_index_medqa.evaluation.judges.model_calls import ModelCalls
from llama_index_medqa.evaluation.judges.offline import OfflineJudge
from llama_index_medqa.profiles import EMBEDDED

pytestmark = pytest.mark.integration

EVIDENCE = [
    "In 240 adults with hypertension, ramipril lowered systolic pressure by 11 mmHg against 2 mmHg with placebo. "
    "Cough was more frequent with ramipril. Kidney function did not change."
]
SUPPORTED = ["Ramipril reduces systolic blood pressure.", "People on ramipril cough more often."]
REFUTED = ["Ramipril raises systolic blood pressure.", "Cough is rarer with ramipril."]
NEUTRAL = ["Metformin prevents colorectal cancer.", "Statins are tolerated well by children."]


async def test_what_is_supported_is_told_from_what_is_not_and_asked_anew_much_alike(tmp_path):
    claims = SUPPORTED + REFUTED + NEUTRAL
    with open_judge(EMBEDDED) as server:
        async with ModelCalls.open(server, tmp_path / "calls.jsonl") as calls:
            asking = LogOddsJudge(calls)
            judge = OfflineJudge(asking)
            values = [score.value for score in await judge.score_all(claims, EVIDENCE)]
            odds = await asking.opinions([(claim, EVIDENCE[0]) for claim in claims])
            verdicts = await VerdictJudge(calls).score_all(claims[:1], EVIDENCE)
            asked = calls.totals.calls
            assert [score.value for score in await judge.score_all(claims, EVIDENCE)] == values
            assert calls.totals.calls == asked
        # Another journal: the model is asked anew.
        async with ModelCalls.open(server, tmp_path / "again.jsonl") as calls:
            again = await OfflineJudge(LogOddsJudge(calls)).score_all(claims, EVIDENCE)
    # llama.cpp adds up in another order where another part of the prompt is still in its cache, and the weights'
    # four bits make more of it: in 16 rounds of shuffled claims a chance moved by at most .022.
    assert [score.value for score in again] == pytest.approx(values, abs=0.1)
    assert min(values[:2]) > max(values[4:])
    assert sum(values[:2]) > sum(values[2:4])
    assert min(one.supports / one.contradicts for one in odds[:2]) > max(
        one.supports / one.contradicts for one in odds[2:4]
    )
    assert verdicts[0].value is not None
