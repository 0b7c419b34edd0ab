"""Sentences that tell what was asked or done, written by us, each judged by eye."""

import pytest

from llama_index_medqa.attribution import Attributor
from llama_index_medqa.conduct import only_conduct, sets_out
from tests.unit.test_attribution import text as passage_of


@pytest.mark.parametrize(
    "text",
    [
        "Laxity of the knee was assessed before the operation and two years later.",
        "Patients were randomly assigned to apixaban or warfarin.",
        "We searched four databases for trials of statins.",
        "Serum ferritin was then measured in all pregnant women.",
        "To see if surgeons change what they prescribe when pharmacists teach them.",
        "OBJECTIVE: To find out whether iron lowers fatigue.",
        "We review our operations for lung cancer and attempted to clarify the prognostic significance of its stage.",
        "We determined how often the gene varies, and tested whether it significantly modifies the disease.",
        "We estimated the life expectancy associated with each treatment.",
        "It remains controversial whether survival differs between women and men.",
        "Several reviews stress the need for trials of what reduces dermatitis most effectively.",
        "The present study analyses the predictive value of the marker for survival.",
        "This study examined how much radiotherapy improves outcomes.",
        "We therefore compared rates of falls after either operation.",
        "Do polyps of younger and older women show similar receptors.",
        "Women and volunteers were genotyped for the allele.",
        "Studies of the relation between workload and pressure are lacking.",
        "The effect of such meetings on depression has not yet been evaluated.",
        "Drug A, an oral inhibitor, is being investigated for the treatment of anaemia.",
    ],
)
def test_what_was_done_is_conduct(text: str) -> None:
    assert only_conduct(text)


@pytest.mark.parametrize(
    "text",
    [
        "Laxity was assessed in 120 knees and was associated with worse outcomes.",
        "Ferritin was measured and was lower in women with anaemia.",
        "Statins were used by 43% of the patients.",
        "Apixaban reduces strokes.",
        "No difference was recorded.",
        "We tested whether tea lowers the pulse, and found that it does.",
        "We tested whether tea lowers the pulse; mortality was lower.",
        "To prevent strokes, apixaban is effective.",
        "A drug designed to block the receptor reduced mortality.",
        "Apixaban is used to treat fibrillation.",
        "We examined 43 patients, 12 % of whom died.",
        "This study found lower rates of falls.",
        "We compared both drugs and found fewer falls with the first.",
        "There was no evidence of a rise.",
        "Trials to date show no benefit.",
        "Age was associated with falls in those whom we examined.",
        "The mechanism is unclear, but tea lowered the pulse and reduced deaths.",
    ],
)
def test_what_was_found_is_not(text: str) -> None:
    assert not only_conduct(text)


def test_a_finding_is_not_supported_by_what_was_only_measured() -> None:
    measured = "Laxity of the uninjured knee and the clinical outcome of reconstruction were assessed."
    claim = "Laxity of the uninjured knee affects the clinical outcome of reconstruction."
    [judged] = Attributor().attribute_all([claim], [passage_of(measured)])
    assert (judged.verdict, [finding.kind for finding in judged.findings]) == ("unsupported", ["conduct"])
    unchecked = Attributor(checks=frozenset()).attribute(claim, [passage_of(measured)])
    assert unchecked.verdict == "supported"


def test_what_was_done_supports_saying_so() -> None:
    done = "Patients with atrial fibrillation were randomly assigned to apixaban or warfarin."
    claim = "Patients were randomly assigned to apixaban or warfarin."
    assert Attributor().attribute(claim, [passage_of(done)]).verdict == "supported"


def test_an_aim_is_told_from_other_conduct() -> None:
    assert sets_out("We examined whether iron lowers fatigue.")
    assert sets_out("To find out how iron acts.")
    assert not sets_out("Iron was measured in all women.")
    assert not sets_out("We studied iron, which lowered fatigue.")
