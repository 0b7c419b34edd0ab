"""Titles that state a finding, and titles that name a topic."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_index_medqa.text.titles import title_states_finding

# Titles written by us, each judged by eye.
FINDING_TITLES = [
    "Tea lowers the resting pulse",
    "Statins reduce strokes in older adults: a randomized trial",
    "Iron is not associated with fatigue",
    "Walking Does Not Improve Sleep",
    "Aerobic exercise may prevent falls.",
    "Nuts, a source of fibre, improve diet quality",
    "The MOTION trial: tai chi modulates balance",
    "Vitamin D increases bone density",
    "Antibodies of patients target citrullinated histone 4",
    "Bolus insulin modifies glucose, which matters",
    "Fewer falls occurred with tai chi, but pain remains common",
    "Loss of the gene impairs differentiation",
    "Expression correlates with outcome",
    "Coffee affects sleep - a crossover study",
]
TOPIC_TITLES = [
    "Impact of catheter ablation on quality of life in atrial fibrillation",
    "Effects of tea on the resting pulse: a randomized controlled trial",
    "A randomized control study of lower limb support",
    "Increases in body weight after cessation of smoking",
    "A smartphone app to reduce drinking",
    "An intervention to substantially increase referral",
    "Genes that are involved in tolerance",
    "How phagosomes mature",
    "When patients do not smoke",
    "Does tea lower the pulse?",
    "Protocol: does nitrite reduce injury in infarction? A trial",
    "Clinical outcomes and neural correlates of stimulation",
    "Tea and the heart",
    "Causes of death in nurses",
    "Reduced weight with tea",
    "CAN DO: a trial of walking",
    "Improve",
    "",
]


@pytest.mark.parametrize("title", FINDING_TITLES)
def test_a_title_may_state_a_finding(title: str) -> None:
    assert title_states_finding(title)


@pytest.mark.parametrize("title", TOPIC_TITLES)
def test_a_title_that_names_a_topic_states_no_finding(title: str) -> None:
    assert not title_states_finding(title)


@given(st.text(max_size=80))
def test_any_title_has_an_answer(title: str) -> None:
    assert title_states_finding(title) in (True, False)
    assert not title_states_finding(f"{title}?")
