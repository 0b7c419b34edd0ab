"""What the sentences of an abstract do in it, on sentences written by us."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_index_medqa.verification.rhetorical_roles import reports_finding, tells_of_study
from llama_index_medqa.verification.role_chances import features, role_chances

FINDINGS = [
    "Green tea significantly lowered the heart rate by 3.5 beats per minute (p = 0.01).",
    "Survival at five years was 78% and did not differ between the groups.",
    "Treatment with zinc was associated with shorter colds.",
    "These results suggest that walking improves sleep.",
]
OTHERS = [
    "The aim of this study was to assess whether green tea lowers the heart rate.",
    "We randomly assigned 120 adults to green tea or water for 12 weeks.",
    "Little is known about the effects of walking on sleep.",
    "Data were analysed with mixed models.",
]


@pytest.mark.parametrize("finding", FINDINGS)
@pytest.mark.parametrize("other", OTHERS)
def test_a_finding_is_likelier_one_than_an_aim_or_a_method(finding, other):
    assert role_chances(finding).finding > 0.5 > role_chances(other).finding


@pytest.mark.parametrize("finding", FINDINGS)
def test_findings_are_told_from_the_study(finding):
    assert reports_finding(finding)
    assert not tells_of_study(finding)


@pytest.mark.parametrize(
    "sentence",
    [
        "The aim of this study was to assess whether green tea lowers the heart rate.",
        "We randomly assigned 120 adults to green tea or water for 12 weeks.",
        "Data were analysed with mixed models.",
        "A retrospective study was conducted of patients with rectal cancer.",
        "Little is known about the effects of walking on sleep.",
    ],
)
def test_aims_methods_and_open_questions_tell_of_the_study(sentence):
    assert tells_of_study(sentence)
    assert not reports_finding(sentence)


@pytest.mark.parametrize(
    "sentence",
    [
        "Lactoferrin is a natural protein that is found in human milk.",
        "Asthma is a common chronic disease of childhood.",
    ],
)
def test_what_was_known_before_is_neither(sentence):
    assert not tells_of_study(sentence)
    assert not reports_finding(sentence)


@given(st.text())
def test_every_text_has_chances_that_are_one_together(text):
    chances = role_chances(text)
    assert min(chances) >= 0.0
    assert sum(chances) == pytest.approx(1.0)


def test_numbers_are_all_the_same_and_headings_are_not_seen():
    assert features("RESULTS: Pain fell by 12.5 points.") == features("Pain fell by 7 points.")
    assert features("Pain fell.") == {"pain", "fell", "pain fell", "^pain", "^pain fell"}
