"""The stand-in for the verifier's model; expected shares are counted by hand."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_index_medqa.testing import ScriptedEntailment
from llama_index_medqa.testing.entailment import shared_words
from llama_index_medqa.verification.entailment import Entailment
from llama_index_medqa.verification.verifier import ClaimVerifier
from tests.unit.verification.evidence import passage

PREMISE = "Tea and the heart. Tea slowed the pulse of nurses."
SURE = Entailment(0.9, 0.05, 0.05)


@pytest.mark.parametrize(
    ("claim", "share"),
    [
        ("Tea slows the pulse.", 1.0),  # tea, slow, puls
        ("Tea slows the breath.", 2 / 3),
        ("Coffee cures colds.", 0.0),
        ("It was not so.", 0.0),  # no word that carries meaning
    ],
)
def test_without_a_script_shared_words_decide(claim, share):
    [found] = ScriptedEntailment().judge([(PREMISE, claim)])
    assert found == pytest.approx((share, 1 - share, 0.0))


@given(st.text(max_size=40), st.text(max_size=40))
def test_the_three_chances_add_up_to_one(premise, claim):
    assert sum(shared_words(premise, claim)) == pytest.approx(1)
    assert min(shared_words(premise, claim)) >= 0


def test_a_mapping_decides_of_the_pairs_that_it_names():
    model = ScriptedEntailment({("slowed the pulse", "Tea calms."): SURE})
    pairs = [(PREMISE, "Tea calms."), ("Tea.", "Tea calms."), (PREMISE, "Tea slows the pulse.")]
    assert model.judge(pairs) == [SURE, Entailment(0.5, 0.5, 0.0), Entailment(1.0, 0.0, 0.0)]
    assert model.judge([]) == []
    assert model.pairs == pairs


def test_a_function_decides_of_all():
    model = ScriptedEntailment(lambda premise, claim: SURE if claim in premise else Entailment(0.0, 1.0, 0.0))
    assert [one.supported for one in model.judge([("ab", "a"), ("ab", "c")])] == [0.9, 0.0]


def test_a_verifier_takes_it_with_its_name_and_thresholds():
    model = ScriptedEntailment(lambda *_: Entailment(0.8, 0.2, 0.0), name="mine", thresholds={"balanced": 0.81})
    record = passage("Tea slowed the pulse of nurses.")
    verdicts = {
        strictness: ClaimVerifier(model, strictness).verify(["Tea slows the pulse."], [record])[0].verdict
        for strictness in ("balanced", "open")
    }
    assert verdicts == {"balanced": "unsupported", "open": "supported"}
    assert ClaimVerifier(model).identity["verifier"] == "mine"


def test_it_needs_no_llamaindex():
    code = "import sys, llama_index_medqa.testing as t; t.ScriptedEntailment; print('llama_index.core' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "False\n"
