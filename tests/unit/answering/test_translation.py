"""Questions in other languages: translated by a scripted model, answered from a real index, translated back."""

import json
from datetime import date

import pytest
from llama_index.core.schema import QueryBundle

from llama_index_medqa import MedQAQueryEngine
from llama_index_medqa.answering.chat_engine import FollowUp
from llama_index_medqa.answering.response import CAUTIONS, FINDINGS_LEAD
from llama_index_medqa.answering.translation.translator import CitedText, Translator
from llama_index_medqa.prompts import ABSTENTION
from llama_index_medqa.rendering.html import as_html
from llama_index_medqa.rendering.text import as_data, as_markdown, as_text
from llama_index_medqa.retrieval.paper_filter import FilteredQuery, PaperFilter
from llama_index_medqa.testing import ScriptedLLM
from llama_index_medqa.verification.verifier import ClaimVerifier

GERMAN = "Senkt grüner Tee die Herzfrequenz in Ruhe?"
ENGLISH = "What does green tea do to the resting heart rate?"
TRUE = "Green tea lowered the resting heart rate by 3.5 beats per minute compared with water."
HARMS = "How often did serious adverse events occur with green tea?"
SAFE = "No serious adverse events occurred."
FALSE = "Green tea cured diabetes in all children."
TRANSLATED = "Grüner Tee senkte die Herzfrequenz in Ruhe um 3,5 Schläge pro Minute im Vergleich zu Wasser."
BACK = "Green tea lowered the resting heart rate by 3.5 beats per minute in comparison with water."
SAFE_TRANSLATED = "Es traten keine schweren unerwünschten Ereignisse auf."
SAFE_BACK = "There were no severe adverse events."
NOT_THE_SAME = "translated back, it does not say the same"
HEADING = "Maschinelle Übersetzung, nicht geprüft (machine translation, not verified):"
ENGLISH_ANSWER = "Green tea lowered the resting heart rate by 3.5 beats per minute compared with water [PMID:101]."
WHOLE = f"{ENGLISH_ANSWER}\n\n{HEADING}\n{TRANSLATED} [PMID:101]"


def engine(index, *answers, **kwargs):
    llm = ScriptedLLM(answers)
    return MedQAQueryEngine.from_index(index, llm, **kwargs), llm


def test_a_german_question_is_answered_in_both_languages(index):
    asked, llm = engine(index, ENGLISH, f"{TRUE} {SAFE}", TRANSLATED, BACK, SAFE_TRANSLATED, SAFE_BACK)
    response = asked.query(GERMAN)
    assert response.searched == [ENGLISH]
    assert response.outcome == "answer"
    assert [sentence.text for sentence in response.sentences] == [TRUE, SAFE]
    assert str(response.response) == f"{ENGLISH_ANSWER} No serious adverse events occurred [PMID:101]."
    translation = response.translation
    assert (translation.question.language, translation.question.original) == ("German", GERMAN)
    assert translation.question.english == ENGLISH
    assert [(item.english, item.translation, item.marks) for item in translation.sentences] == [
        (TRUE, TRANSLATED, "[PMID:101]"),
        (SAFE, SAFE_TRANSLATED, "[PMID:101]"),
    ]
    assert translation.note == "machine translation, not verified"
    assert str(response).endswith(f"\n\n{HEADING}\n{TRANSLATED} [PMID:101]\n{SAFE_TRANSLATED} [PMID:101]")
    assert f"German: {GERMAN}" in llm.prompts[0]
    assert f"Question: {ENGLISH}" in llm.prompts[1]
    assert GERMAN not in llm.prompts[1]
    asked_for = (f"English: {TRUE}", f"German: {TRANSLATED}", f"English: {SAFE}", f"German: {SAFE_TRANSLATED}")
    for text, prompt in zip(asked_for, llm.prompts[2:], strict=True):
        assert text in prompt
    # The model that translates back must not see what it should come to.
    assert TRUE not in llm.prompts[3]
    assert "translate" in response.seconds


def test_an_english_question_costs_no_translation(index):
    asked, llm = engine(index, TRUE)
    response = asked.query(ENGLISH)
    assert len(llm.prompts) == 1
    assert response.translation is None
    assert "translate" not in response.seconds
    assert str(response) == ENGLISH_ANSWER


async def test_every_way_of_asking_gives_the_same(index):
    answers = (ENGLISH, TRUE, TRANSLATED, BACK)
    stream = engine(index, *answers, streaming=True)[0].query(GERMAN)
    assert "".join(stream.response_gen) == WHOLE
    assert str(stream.get_response()) == WHOLE
    assert str(await engine(index, *answers)[0].aquery(GERMAN)) == WHOLE
    response = await engine(index, *answers, streaming=True)[0].aquery(GERMAN)
    assert "".join([text async for text in response.async_response_gen()]) == WHOLE
    assert (await response.get_response()).translation.sentences[0].translation == TRANSLATED


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        (TRANSLATED.replace("3,5", "35"), "the translation lacks 3.5"),
        (TRANSLATED.replace("3,5", "3,5 bis 7"), "the translation says 7, which the sentence does not"),
        (TRUE, "the model wrote no German"),
        ("Le thé vert a réduit la fréquence cardiaque au repos de 3,5 battements.", "the model wrote no German"),
        ("", "the model wrote no German"),
    ],
)
def test_a_translation_that_is_wrong_is_not_shown(index, wrong, problem):
    asked, llm = engine(index, ENGLISH, TRUE, wrong)
    response = asked.query(GERMAN)
    assert len(llm.prompts) == 3
    [sentence] = response.translation.sentences
    assert (sentence.translation, sentence.problem) == ("", problem)
    assert str(response) == f"{ENGLISH_ANSWER}\n\n{HEADING}\n[Satz nur auf Englisch: {problem}] {TRUE} [PMID:101]"


NOT_MEANT = [
    (SAFE, SAFE_TRANSLATED.replace("keine schweren", "schwere"), "Serious adverse events occurred."),
    (TRUE, TRANSLATED.replace("senkte", "erhöhte"), BACK.replace("lowered", "raised")),
    # What was added is found only where what was translated back is held against the English sentence.
    (
        SAFE,
        SAFE_TRANSLATED.replace(".", ", und alle Patienten wurden geheilt."),
        SAFE.replace(".", ", and all patients were cured."),
    ),
    (SAFE, SAFE_TRANSLATED, SAFE_TRANSLATED),
    (SAFE, SAFE_TRANSLATED, ""),
]


@pytest.mark.parametrize(("sentence", "translation", "back"), NOT_MEANT)
async def test_a_translation_that_means_another_thing_when_translated_back_is_not_shown(
    index, sentence, translation, back
):
    question = HARMS if sentence == SAFE else ENGLISH
    answers = (question, sentence, translation, back)
    for response in (engine(index, *answers)[0].query(GERMAN), await engine(index, *answers)[0].aquery(GERMAN)):
        [shown] = response.translation.sentences
        assert (shown.english, shown.translation, shown.problem) == (sentence, "", NOT_THE_SAME)
        assert translation not in str(response)
        assert str(response).endswith(f"[Satz nur auf Englisch: {NOT_THE_SAME}] {sentence} [PMID:101]")


@pytest.mark.parametrize(
    ("german", "back", "problem"),
    [
        (
            "Metformin senkte bei Frauen mit polyzystischem Ovarialsyndrom das Körpergewicht, veränderte aber die "
            "Insulinempfindlichkeit nicht.",
            "Metformin reduced body weight in women with polycystic ovary syndrome, but did not change insulin "
            "sensitivity.",
            "",
        ),
        # The English sentence supports what was translated back: only the other way tells that a half was lost.
        (
            "Metformin senkte bei Frauen mit polyzystischem Ovarialsyndrom das Körpergewicht.",
            "Metformin reduced body weight in women with polycystic ovary syndrome.",
            NOT_THE_SAME,
        ),
    ],
)
def test_a_translation_that_lost_half_of_the_sentence_is_not_shown(german, back, problem):
    english = (
        "Metformin reduced body weight in women with polycystic ovary syndrome but did not change insulin sensitivity."
    )
    translator = Translator(ScriptedLLM([german, back]), ClaimVerifier())
    [sentence] = translator.from_english([CitedText(english, "[PMID:1]")], "German")
    assert (sentence.translation, sentence.problem) == ("" if problem else german, problem)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        (GERMAN, "Ich weiß es leider nicht, bitte fragen Sie Ihren Arzt."),
        (GERMAN, ""),
        ("Senkt grüner Tee die Herzfrequenz um 3,5 Schläge pro Minute?", ENGLISH),
    ],
)
def test_a_question_that_the_model_cannot_translate_is_refused(index, question, answer):
    asked, llm = engine(index, answer)
    response = asked.query(question)
    assert (response.abstained, response.source_nodes, len(llm.prompts)) == ("language", [], 1)
    assert response.explanation.startswith("The question is in German, and scripted ")
    assert response.explanation.endswith(": ask it in English.")
    assert "Das kann ich aus der erschlossenen Literatur nicht beantworten." in str(response)


def test_without_a_model_nothing_is_searched(index):
    response = MedQAQueryEngine.from_index(index, "extractive").query(GERMAN)
    assert (response.abstained, response.source_nodes, response.translation) == ("language", [], None)
    assert "The question is in German, and 'extractive' cannot translate it" in response.explanation


def test_other_languages_are_refused_with_those_that_are_translated(index):
    asked, llm = engine(index, TRUE)
    response = asked.query("Czy zielona herbata obniża tętno spoczynkowe?")
    assert (response.abstained, llm.prompts) == ("language", [])
    assert response.explanation == (
        "The question is in Polish. Questions are translated from Chinese, French, German, Japanese, Portuguese, "
        "Spanish only: ask it in English."
    )
    assert str(response) == ABSTENTION


def test_quotes_are_translated_where_no_answer_was_verified(index):
    german, back = (
        "Grüner Tee senkt die Herzfrequenz in Ruhe leicht.",
        "Green tea slightly lowers the resting heart rate.",
    )
    asked, llm = engine(index, ENGLISH, FALSE, german, back)
    response = asked.query(GERMAN)
    assert response.outcome == "findings"
    assert response.response.startswith(FINDINGS_LEAD)
    quotes = [finding.quote for finding in response.findings]
    assert [item.english for item in response.translation.sentences] == quotes
    assert response.translation.lead.startswith("Keine Antwort konnte geprüft werden.")
    assert len(quotes) >= 1
    assert len(llm.prompts) == 2 + len(quotes)
    assert all(item.marks == "[PMID:101]" for item in response.translation.sentences)


def test_where_nothing_is_found_the_reader_is_told_so_in_both_languages(index):
    response = engine(index, "What is the capital of Mongolia?")[0].query("Was ist die Hauptstadt der Mongolei?")
    assert response.outcome == "nothing_found"
    assert str(response) == (
        f"{ABSTENTION}\n\n{HEADING}\nDas kann ich aus der erschlossenen Literatur nicht beantworten."
    )


def test_a_person_is_cautioned_in_both_languages(index):
    asked, _ = engine(index, "Should I drink green tea to lower my resting heart rate?", TRUE, TRANSLATED, BACK)
    response = asked.query("Soll ich grünen Tee trinken, um meine Herzfrequenz zu senken?")
    assert response.caution.startswith("Was folgt, steht in der Literatur;")
    assert response.caution.endswith(CAUTIONS["advice"])


def test_filters_stay_with_the_question(index):
    papers = PaperFilter(first_year=2022)
    response = engine(index, ENGLISH, TRUE)[0].query(FilteredQuery(GERMAN, papers=papers))
    assert response.abstained == "no_evidence"
    assert response.searched == [ENGLISH]
    assert engine(index, ENGLISH, TRUE, TRANSLATED, BACK)[0].query(QueryBundle(GERMAN)).outcome == "answer"


def test_a_conversation_goes_on_in_its_language(index):
    asked, llm = engine(index, ENGLISH, TRUE, TRANSLATED, BACK)
    chat = asked.as_chat_engine()
    assert str(chat.chat(GERMAN)) == WHOLE
    assert [item.content for item in chat.chat_history] == [GERMAN, WHOLE]
    # A follow-up that a model made an English question is not translated again, but its answer is.
    asked, llm = engine(index, SAFE, SAFE_TRANSLATED, SAFE_BACK)
    response = asked.query(FollowUp("Is green tea safe for the resting heart rate?", message="Und ist das sicher?"))
    assert len(llm.prompts) == 3
    assert (response.translation.question.original, response.searched) == (
        "Und ist das sicher?",
        ["Is green tea safe for the resting heart rate?"],
    )
    assert str(response).endswith(f"{SAFE_TRANSLATED} [PMID:101]")


def test_what_is_shown_and_saved_holds_both(index):
    response = engine(index, ENGLISH, TRUE, TRANSLATED, BACK)[0].query(GERMAN)
    today = date(2026, 1, 1)
    searched = f"Asked in German; searched and answered in English (machine translation, not verified): “{ENGLISH}”"
    text = as_text(GERMAN, response, today)
    assert f"{HEADING}\n{TRANSLATED} [PMID:101]" in text
    assert searched in text
    markdown = as_markdown(GERMAN, response, today)
    assert f"{TRANSLATED} \\[PMID:101\\]" in markdown
    page = as_html(GERMAN, response, today)
    start = page.index('<section class="translation" lang="de">')
    section = page[start : page.index("</section>", start)]
    [citation] = response.citations
    anchor = f"PMID-101-{citation.start}-{citation.end}"
    assert f'<p>{TRANSLATED} <a href="#{anchor}">[PMID:101]</a></p>' in section
    assert f'id="{anchor}"' in page
    data = json.loads(json.dumps(as_data(GERMAN, response)))["translation"]
    assert data["question"] == {"language": "German", "original": GERMAN, "english": ENGLISH, "problem": ""}
    assert data["sentences"] == [{"english": TRUE, "translation": TRANSLATED, "marks": "[PMID:101]", "problem": ""}]
    assert data["note"] == "machine translation, not verified"
    assert set(data["prompts"]) == {"question-to-english/1", "sentence-from-english/1", "sentence-to-english/1"}


def test_thoughts_and_quotation_marks_are_no_translation(index):
    thinking = f"<think>The user asks in German.</think>\n\n“{ENGLISH}”\nLet me know if you need more."
    response = engine(index, thinking, TRUE, f"„{TRANSLATED}“", BACK)[0].query(GERMAN)
    assert response.translation.question.english == ENGLISH
    assert response.translation.sentences[0].translation == TRANSLATED
