"""Sections and conclusions in plain text, and questions. Expected values: read off the texts, which we wrote."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_tools.sft.findings import study_of
from data_tools.sft.questions import question_of_objective, question_of_title, states_aim
from data_tools.sft.sections import Part, part_of_label, stretches_of, without
from llama_index_medqa.pubmed.record import AbstractSection, PubMedRecord

LABELLED = (
    "BACKGROUND: Tea is drunk. OBJECTIVE: To assess whether tea lowers the heart rate. METHODS: We gave tea (DNA: no). "
    "RESULTS: Tea lowered the heart rate by 3 beats. CONCLUSIONS: Tea lowers the heart rate. "
    "TRIAL REGISTRATION: ISRCTN1."
)


def record(*sections: AbstractSection, title: str = "Tea and the heart", pmid: str | None = "1") -> PubMedRecord:
    return PubMedRecord(title=title, sections=sections, pmid=pmid)


def plain(text: str) -> PubMedRecord:
    return record(AbstractSection(text))


def test_labels_in_plain_text():
    assert [(item.part, item.text) for item in stretches_of(plain(LABELLED))] == [
        (Part.BACKGROUND, "Tea is drunk."),
        (Part.OBJECTIVE, "To assess whether tea lowers the heart rate."),
        (Part.METHODS, "We gave tea (DNA: no)."),
        (Part.RESULTS, "Tea lowered the heart rate by 3 beats."),
        (Part.CONCLUSIONS, "Tea lowers the heart rate."),
        (Part.OTHER, "ISRCTN1."),
    ]


def test_labels_of_the_record_come_first(records):
    parts = [item.part for item in stretches_of(records[0])]
    assert parts == [Part.OBJECTIVE, Part.METHODS, Part.RESULTS, Part.CONCLUSIONS]


@pytest.mark.parametrize(
    ("label", "part"),
    [
        ("METHODS AND FINDINGS", Part.RESULTS),
        ("RESULTS AND DISCUSSION", Part.RESULTS),
        ("CONCLUSIONS/SIGNIFICANCE", Part.CONCLUSIONS),
        ("BACKGROUND AND PURPOSE", Part.OBJECTIVE),
        ("DESIGN", Part.METHODS),
        ("TRIAL REGISTRATION", Part.OTHER),
        ("KEY MESSAGE", Part.OTHER),
    ],
)
def test_what_a_label_means(label, part):
    assert part_of_label(label) is part


@pytest.mark.parametrize(
    ("text", "conclusion"),
    [
        ("Tea is drunk. It lowered the rate. These findings suggest that tea helps. More is needed.",
         "These findings suggest that tea helps. More is needed."),
        ("Tea is drunk. It lowered the rate. In conclusion, tea helps.", "In conclusion, tea helps."),
        ("These findings suggest a plan. One. Two. Three. Four.", None),
        ("We conclude that tea helps.", None),  # the only sentence is the whole abstract
        ("Tea is drunk. It lowered the rate by 3 beats.", None),
    ],
)  # fmt: skip
def test_conclusions_without_labels(text, conclusion):
    concluding = [item.text for item in stretches_of(plain(text)) if item.part is Part.CONCLUSIONS]
    assert concluding == ([conclusion] if conclusion else [])


WORDS = st.text("abcDEF.:? 12()", min_size=1, max_size=30)
LABELS = st.sampled_from(["METHODS: ", "RESULTS: ", "Conclusion: ", "TRIAL REGISTRATION: ", "", "In conclusion, "])


@given(st.lists(st.tuples(LABELS, WORDS), max_size=8))
def test_stretches_hold_the_whole_text_once(parts):
    text = " ".join(" ".join(label + words for label, words in parts).split())
    found = stretches_of(plain(text))
    assert "".join(text[item.start : item.end] for item in found) == text
    for item in found:
        assert text[item.text_start :].startswith(item.text)
        assert text[item.start : item.end].endswith(text[item.text_start : item.end])
        assert text[item.text_start : item.end].strip() == item.text


@given(st.lists(st.tuples(LABELS, WORDS), max_size=8), st.data())
def test_what_is_left_out_goes_and_the_rest_stays(parts, data):
    text = " ".join(" ".join(label + words for label, words in parts).split())
    found = stretches_of(plain(text))
    left_out = data.draw(st.lists(st.sampled_from(found), unique=True)) if found else []
    rest = "".join(text[item.start : item.end] for item in found if item not in left_out)
    left = without(plain(text), left_out)
    assert "".join(" ".join(section.text for section in left.sections).split()) == "".join(rest.split())


@pytest.mark.parametrize(
    ("title", "question"),
    [
        ("Does tea lower the heart rate of nurses?", "Does tea lower the heart rate of nurses?"),
        ("Tea and the heart: is there any harm in it?", None),  # "it" is known from the title only
        ("Tea: can black tea lower blood pressure?", "Can black tea lower blood pressure?"),
        ("The effects of green tea on sleep: a randomized trial", "What are the effects of green tea on sleep?"),
        ("Efficacy and safety of tea in adults - a pilot study", "What are the efficacy and safety of tea in adults?"),
        ("Prognosis of tea drinkers in northern towns", "What is the prognosis of tea drinkers in northern towns?"),
        ("Green tea and resting heart rate: a randomized trial.", None),
    ],
)
def test_questions_of_titles(title, question):
    assert question_of_title(title) == question


@pytest.mark.parametrize(
    ("sentence", "question"),
    [
        ("To assess whether tea lowers the heart rate.", "Does tea lower the heart rate?"),
        ("We aimed to determine whether walking is associated with sleep.", "Is walking associated with sleep?"),
        ("The aim of this study was to evaluate the effect of tea on sleep in adults, using a diary.",
         "What is the effect of tea on sleep in adults?"),
        ("We compared green tea with black tea in nurses; both were free.",
         "What does a comparison of green tea with black tea in nurses show?"),
        ("To test the hypothesis that nurses who drink tea can sleep well.", None),  # a clause inside the subject
        ("To determine whether our patients can drink tea.", None),
        ("To investigate tea.", None),
        ("We gave 120 adults green tea.", None),
        ("To see if a programme to promote walking improves sleep in nurses.",
         "Does a programme to promote walking improve sleep in nurses?"),
        ("To examine whether children have an allergy to tea.", None),
    ],
)  # fmt: skip
def test_questions_of_objectives(sentence, question):
    assert question_of_objective(sentence) == question


def test_aims_are_told_from_findings():
    assert states_aim("The present study investigated the effects of tea on sleep.")
    assert states_aim("This study investigated the effects of tea on sleep.")
    assert not states_aim("Tea lowered the heart rate by 3 beats.")


def test_a_study_and_its_evidence(records):
    objective = AbstractSection("To evaluate whether green tea lowers the resting heart rate.", "OBJECTIVE")
    study, evidence = study_of(replace(records[0], sections=(objective, *records[0].sections[1:])))
    assert study.question == "Does green tea lower the resting heart rate?"
    assert study.conclusions == "Green tea lowers the resting heart rate slightly."
    assert study.findings == (
        "Green tea lowered the resting heart rate by 3.5 beats per minute compared with water.",
        "No serious adverse events occurred.",
    )
    assert [section.label for section in evidence.sections] == ["METHODS", "RESULTS"]


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (plain("Tea is drunk by many."), "no conclusions"),
        (plain("Tea is drunk. RESULTS: It fell. CONCLUSION: Tea helps."), "no findings"),
        (plain("Tea is drunk. RESULTS: The rate fell. CONCLUSION: Tea helps."), "no question"),
        (record(AbstractSection("x"), pmid=None), "no PMID to cite"),
    ],
)
def test_what_cannot_be_asked(item, reason):
    assert study_of(item) == reason
