"""Short answers of the whole engine, with scripted models over a real index, and how they are shown."""

from datetime import date

import pytest

from llama_index_medqa import MedQAQueryEngine
from llama_index_medqa.answering.short_answer.yes_no_verdict import YesNoVerdict
from llama_index_medqa.rendering.html import as_html
from llama_index_medqa.rendering.text import as_data, as_markdown, as_text
from llama_index_medqa.testing import ScriptedEntailment, ScriptedLLM
from llama_index_medqa.verification.entailment import Entailment
from llama_index_medqa.verification.verdicts import AnswerSentence, Citation
from llama_index_medqa.verification.verifier import ClaimVerifier

TODAY = date(2026, 1, 31)
QUESTION = "Does green tea lower the resting heart rate?"
STATEMENT = "Green tea lower the resting heart rate."
HOW_MUCH = "By how many beats per minute did green tea lower the heart rate?"
TRUE = "Green tea lowered the resting heart rate by 3.5 beats per minute compared with water."
INVENTED = "Green tea doubles the blood pressure of nurses in Norway."


def ask(index, question, draft, script=None):
    verifier = ClaimVerifier(ScriptedEntailment(script))
    return MedQAQueryEngine.from_index(index, ScriptedLLM([draft]), verifier=verifier).query(question)


@pytest.mark.parametrize(
    ("chances", "draft", "label"),
    [
        (Entailment(1.0, 0.0, 0.0), f"Yes, {TRUE}", "yes"),
        (Entailment(1.0, 0.0, 0.0), TRUE, "yes"),
        (Entailment(0.0, 0.0, 1.0), TRUE, "no"),
        (Entailment(0.0, 1.0, 0.0), f"Yes, {TRUE}", None),
        # The verifier says yes, and the drafter no.
        (Entailment(1.0, 0.0, 0.0), f"No, {TRUE}", None),
    ],
)
def test_yes_or_no_is_what_the_verifier_says_to_the_question(index, chances, draft, label):
    exact = ask(index, QUESTION, draft, {("", STATEMENT): chances}).exact_answer
    assert (exact.label if exact else None) == label
    if exact:
        assert {citation.document_id for citation in exact.citations} == {"PMID:101"}


def test_yes_needs_no_draft(index):
    response = ask(index, QUESTION, INVENTED, {("", STATEMENT): Entailment(1.0, 0.0, 0.0)})
    assert response.outcome == "answer"
    assert response.exact_answer.label == "yes"
    yes, quote = response.sentences
    assert yes.text == "Yes."
    assert quote.is_quote
    assert quote.text == f"“{' '.join(quote.citations[0].quote.split())}”"


def test_a_draft_that_says_the_contrary_of_the_evidence_gives_no_label(index):
    response = ask(index, QUESTION, f"No, {INVENTED}", {("", STATEMENT): Entailment(1.0, 0.0, 0.0)})
    assert response.outcome == "findings"
    assert response.exact_answer is None


def test_a_number_has_its_span_in_the_record(index, documents):
    response = ask(index, HOW_MUCH, TRUE)
    item = response.exact_answer.items[0]
    [text] = [document.text for document in documents if document.id_ == item.document_id]
    assert text[item.start : item.end] == item.text
    assert item.text.startswith("3.5")


def test_a_short_answer_is_shown_in_every_form(index):
    response = ask(index, QUESTION, f"Yes, {TRUE}", {("", STATEMENT): Entailment(1.0, 0.0, 0.0)})
    line = "Short answer: Yes"
    assert f"\n{line}\nAnswer: Yes [PMID:101]. Green tea" in as_text(QUESTION, response, TODAY)
    assert f"\n**{line}**\n" in as_markdown(QUESTION, response, TODAY)
    assert f"<strong>{line}</strong>" in as_html(QUESTION, response, TODAY)
    assert as_data(QUESTION, response)["exact_answer"]["label"] == "yes"


def test_items_of_findings_are_said_to_be_of_quotes(index):
    response = ask(index, HOW_MUCH, INVENTED)
    assert response.outcome == "findings"
    assert response.exact_answer.is_from_findings
    text = as_text(HOW_MUCH, response, TODAY)
    shown = response.exact_answer.shown
    assert (f"Short answer (from the quotes; not verified): {shown}" in text) == bool(shown)


@pytest.mark.parametrize("support", [0.7, 0.79])
def test_yes_needs_much_support_whatever_the_drafter_says(index, support):
    script = {("", STATEMENT): Entailment(support, 1 - support, 0.0)}
    response = ask(index, QUESTION, f"Yes, {TRUE}", script)
    assert response.exact_answer is None
    assert [sentence.text for sentence in response.sentences] == [TRUE]


def test_how_a_study_was_done_does_not_answer_a_question_of_yes_or_no(index):
    methods = "We gave 120 adults green tea or water for 12 weeks."
    unsure = {("", STATEMENT): Entailment(0.0, 1.0, 0.0)}
    response = ask(index, QUESTION, methods, unsure)
    assert response.outcome == "findings"
    assert response.dropped[0].findings[-1].kind == "yes_no"


@pytest.mark.parametrize(
    ("text", "support", "is_enough"),
    [
        ("Green tea lowers the resting heart rate.", 0.79, False),
        ("Green tea lowers the resting heart rate.", 0.8, True),
        (TRUE, 0.7, True),
        ("Green tea raised the alertness of nurses on night shifts.", 0.7, True),
    ],
)
def test_a_sentence_that_repeats_the_question_needs_much_support(text, support, is_enough):
    verdict = YesNoVerdict(QUESTION, lambda: None, lambda: None)
    quote = Citation("PMID:1", "1", "Tea.", 0, len(TRUE), TRUE)
    assert bool(verdict.problem(AnswerSentence(text, "supported", support, (quote,)))) != is_enough
