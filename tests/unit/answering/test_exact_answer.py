"""The short answer: names, numbers, lists, yes and no; expected answers were written by reading."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_index_medqa.answering.short_answer.exact_answer import ExactAnswer, exact_answer, yes_or_no
from llama_index_medqa.verification.verdicts import AnswerSentence, Citation

START = 40
PSORIASIS = "Spesolimab, an anti-IL-36 receptor antibody, was approved for generalized pustular psoriasis (GPP)."
TRIAL = "In the IMbrave150 trial, patients received atezolizumab, bevacizumab or sorafenib."


def cited(quote: str, number: str = "1") -> Citation:
    return Citation(f"PMID:{number}", number, "A title.", START, START + len(quote), quote)


def supported(text: str, *quotes: str) -> AnswerSentence:
    citations = tuple(cited(quote, str(number)) for number, quote in enumerate(quotes or (text,), start=1))
    return AnswerSentence(text, "supported", 0.9, citations)


def items(question: str, *sentences: AnswerSentence) -> list[str]:
    found = exact_answer(question, sentences, ())
    return [item.text for item in found.items] if found else []


@pytest.mark.parametrize(
    ("question", "text", "expected"),
    [
        ("What disease is spesolimab approved for?", PSORIASIS, "generalized pustular psoriasis"),
        ("Which drug was approved for generalized pustular psoriasis?", PSORIASIS, "Spesolimab"),
        ("What does GPP stand for?", PSORIASIS, "generalized pustular psoriasis"),
        (
            "How many patients were enrolled in the trial?",
            "The trial enrolled 1,272 patients in 22 countries.",
            "1,272",
        ),
        ("What percentage of patients relapsed?", "Relapse was seen in 24 % of 310 patients.", "24 %"),
        ("What dose of aspirin was given?", "Aspirin was given at 75 mg to 90 patients for 3 years.", "75 mg"),
        ("When was dupilumab approved by the EMA?", "The EMA approved dupilumab in 2017 for 3 diseases.", "2017"),
    ],
)
def test_the_first_item_is_of_the_kind_that_is_asked_for(question, text, expected):
    assert items(question, supported(text))[0] == expected


def test_a_list_has_its_items_and_no_word_of_the_question():
    found = exact_answer("Which drugs were tested in the IMbrave150 trial?", [supported(TRIAL)], ())
    assert found
    assert found.kind == "list"
    assert {item.text for item in found.items} == {"atezolizumab", "bevacizumab", "sorafenib"}


def test_no_more_are_listed_than_are_asked_for():
    assert len(items("Which two drugs were tested in the IMbrave150 trial?", supported(TRIAL))) == 2


def test_an_abbreviation_of_the_question_does_not_answer_it():
    text = "Coffin-Siris syndrome (CSS) is a disorder caused by variants in ARID1B."
    assert "CSS" not in items("Which gene causes Coffin-Siris syndrome?", supported(text))


def test_a_name_and_its_abbreviation_are_one_item():
    found = items("What disease is spesolimab approved for?", supported(PSORIASIS))
    assert "generalized pustular psoriasis" in found
    assert "GPP" not in found


def test_every_item_stands_in_the_cited_text():
    sentence = supported("Spesolimab treats generalized pustular psoriasis.", "Unlike this,", PSORIASIS.upper())
    found = exact_answer("What disease does spesolimab treat?", [sentence], ())
    assert found
    item = found.items[0]
    assert (item.text, item.document_id, item.sentence) == ("GENERALIZED PUSTULAR PSORIASIS", "PMID:2", 0)
    assert PSORIASIS.upper()[item.start - START : item.end - START] == item.text
    # What the sentence says in other words than its record is no item.
    assert (
        items("What disease does spesolimab treat?", supported("Spesolimab treats GPP.", "It treats psoriasis.")) == []
    )


def test_what_nothing_supports_gives_no_item():
    sentence = AnswerSentence(PSORIASIS, "unsupported", 0.1)
    assert exact_answer("What disease is spesolimab approved for?", [sentence], ()) is None


def test_items_of_findings_say_so():
    found = exact_answer("What disease is spesolimab approved for?", (), [cited(PSORIASIS)])
    assert found
    assert found.is_from_findings
    assert found.items[0].text == "generalized pustular psoriasis"


def test_more_than_five_candidates_are_cut():
    text = "FGFR1, KLB, MEK1, TP53, BRCA1, EGFR and KRAS were bound."
    assert len(items("Which protein does the drug bind?", supported(text))) == 5


def test_yes_holds_what_says_so():
    quote = cited("Green tea lowers the heart rate.")
    assert yes_or_no("yes", [quote]) == ExactAnswer("yes_no", "yes", citations=(quote,))
    assert yes_or_no("no", [quote], is_model_reading=True).is_model_reading


@given(st.text(max_size=100), st.lists(st.text(max_size=160), max_size=3))
def test_items_are_spans_whatever_is_asked(question, texts):
    found = exact_answer(f"Which {question}?", [supported(text) for text in texts], ())
    for item in found.items if found else ():
        text = texts[item.sentence]
        assert text[item.start - START : item.end - START] == item.text
