"""Sentences that tell what was done, written by us, each judged by eye."""

import pytest

from llama_index_medqa.attribution import Attributor
from llama_index_medqa.conduct import only_conduct
from tests.unit.test_attribution import text as passage_of


@pytest.mark.parametrize(
    "text",
    [
        "Laxity of the knee was assessed before the operation and two years later.",
        "Patients were randomly assigned to apixaban or warfarin.",
        "We searched four databases for trials of statins.",
        "Serum ferritin was then measured in all pregnant women.",
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
