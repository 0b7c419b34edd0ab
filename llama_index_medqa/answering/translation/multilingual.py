"""What becomes of a question in another language before the search, and of its answer after the verification."""

from collections.abc import AsyncIterator, Iterator
from typing import Protocol

from llama_index.core.schema import QueryBundle

from llama_index_medqa._common.timer import Stopwatch
from llama_index_medqa.answering.questions.decomposition import QuestionPart, question_parts
from llama_index_medqa.answering.translation.notices import NOTICES
from llama_index_medqa.answering.translation.translator import (
    AnswerTranslation,
    CitedText,
    TranslatedQuestion,
    TranslatedSentence,
    Translator,
)
from llama_index_medqa.retrieval.paper_filter import with_question
from llama_index_medqa.text.language import foreign_language
from llama_index_medqa.text.personal_questions import PersonalQuestion


class Translatable(Protocol):
    """An English answer that is complete but for its translation.

    Attributes:
        watch: counts the seconds.
        translation: of the answer, where one was made.
    """

    watch: Stopwatch
    translation: AnswerTranslation | None

    @property
    def asked(self) -> TranslatedQuestion | None:
        """The question as it was asked, where it was not in English."""
        ...

    def shown(self) -> list[CitedText]:
        """What is to be translated."""
        ...

    def lead(self, language: str) -> str:
        """What is said before it in a language."""
        ...


def recognised(question: str, message: str, translator: Translator | None, drafter: str) -> TranslatedQuestion | None:
    """Return a question that is not in English, not yet translated, or with the reason why it cannot be; else None.

    Args:
        question: what is to be answered.
        message: what the question was made of by a model, in a conversation; empty where it was asked as it is.
        translator: None where there is no model.
        drafter: name of what drafts the answer.
    """
    if language := foreign_language(question):
        problem = untranslatable(language, None if translator else drafter)
        return TranslatedQuestion(language, question, problem=problem)
    # The model that made the question stand alone may have translated it.
    if message and translator and (language := foreign_language(message)) in NOTICES:
        return TranslatedQuestion(str(language), message, question)
    return None


def untranslatable(language: str, drafter: str | None = None) -> str:
    """Return why a question in a language cannot be answered, in a sentence; empty where a model may translate it.

    Args:
        language: of the question.
        drafter: what drafts the answers, where it is no model.
    """
    if language not in NOTICES:
        known = ", ".join(NOTICES)
        return f"The question is in {language}. Questions are translated from {known} only: ask it in English."
    if drafter:
        return (
            f"The question is in {language}, and {drafter!r} cannot translate it: ask it in English, or let a language "
            "model draft the answers."
        )
    return ""


def searched(query_bundle: QueryBundle, asked: TranslatedQuestion | None) -> tuple[QueryBundle, list[QuestionPart]]:
    """Return a question in English, and its parts that are searched for: none where it could not be translated.

    Args:
        query_bundle: the question as it was asked.
        asked: what became of it; None where it is in English.
    """
    if asked and not asked.english:
        return query_bundle, []
    english = with_question(query_bundle, asked.english) if asked else query_bundle
    return english, question_parts(english.query_str)


def in_both(text: str, kind: PersonalQuestion, asked: TranslatedQuestion | None) -> str:
    """Return what is said before an answer, in the question's language too.

    Args:
        text: in English.
        kind: what it is said to.
        asked: the question; None where it is in English.
    """
    own = NOTICES[asked.language].cautions[kind] if asked and asked.language in NOTICES else ""
    return f"{own}\n{text}" if own else text


def translated(answer: Translatable, translator: Translator | None) -> Iterator[str]:
    """Translate an answer into the language of its question; yield the text as it is made.

    Args:
        answer: to which the translation is added.
        translator: None where there is no model.
    """
    if translation := _begun(answer, translator):
        assert translator is not None  # noqa: S101  # there is no translation without one
        yield f"\n\n{translation.text}"
        sentences = translator.from_english(answer.shown(), translation.question.language)
        for sentence in answer.watch.iterate("translate", sentences):
            yield _joined(translation, sentence)


async def atranslated(answer: Translatable, translator: Translator | None) -> AsyncIterator[str]:
    """As :func:`translated`, asynchronously."""
    if translation := _begun(answer, translator):
        assert translator is not None  # noqa: S101  # there is no translation without one
        yield f"\n\n{translation.text}"
        sentences = translator.afrom_english(answer.shown(), translation.question.language)
        async for sentence in answer.watch.iterate_async("translate", sentences):
            yield _joined(translation, sentence)


def _begun(answer: Translatable, translator: Translator | None) -> AnswerTranslation | None:
    """A translation that has no sentence yet; None where there is nothing to translate into."""
    asked = answer.asked
    if asked is None or asked.language not in NOTICES or translator is None:
        return None
    lead = answer.lead(asked.language)
    answer.translation = AnswerTranslation(asked, lead, model=translator.name, prompts=translator.prompts)
    return answer.translation


def _joined(translation: AnswerTranslation, sentence: TranslatedSentence) -> str:
    """What comes out when a sentence is added to a translation."""
    translation.sentences.append(sentence)
    return f"\n{sentence.shown(translation.question.language)}"
