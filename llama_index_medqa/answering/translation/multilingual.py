"""Translation around the query engine: questions before the search, answers after verification."""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from typing import Protocol

from llama_index.core.schema import QueryBundle

from llama_index_medqa._common.timer import StageTimer
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
from llama_index_medqa.text.personal_questions import PersonalQuestion, personal_question


class Translatable(Protocol):
    """An English answer that is ready for translation.

    Attributes:
        timer: counts the seconds.
        translation: of the answer, where one was made.
    """

    timer: StageTimer
    translation: AnswerTranslation | None

    @property
    def asked(self) -> TranslatedQuestion | None:
        """Return the question as it was asked, if it was not in English."""
        ...

    def shown(self) -> list[CitedText]:
        """Return the texts to translate."""
        ...

    def lead(self, language: str) -> str:
        """Return the line before them in a language."""
        ...


def recognised(question: str, message: str, translator: Translator | None, drafter: str) -> TranslatedQuestion | None:
    """Return a question that is not in English; else None.

    It is not translated yet, or has the reason why it cannot be.

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
    """Return why a language cannot be answered.

    Empty where a model may translate it.

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
    """Return a question in English, and the parts to search for.

    No parts where it could not be translated.

    Args:
        query_bundle: the question as it was asked.
        asked: what became of it; None where it is in English.
    """
    if asked and not asked.english:
        return query_bundle, []
    english = with_question(query_bundle, asked.english) if asked else query_bundle
    return english, question_parts(english.query_str)


def caution(
    texts: Iterable[str], asked: TranslatedQuestion | None, cautions: Mapping[PersonalQuestion, str]
) -> str | None:
    """Return the caution for a personal question, in English and in its language.

    Args:
        texts: the question as it was asked, and as it was rewritten.
        asked: the question; None where it is in English.
        cautions: the English ones, the most urgent first.
    """
    kinds = {personal_question(text) for text in texts}
    kind = next((kind for kind in cautions if kind in kinds), None)
    if kind is None:
        return None
    own = NOTICES[asked.language].cautions[kind] if asked and asked.language in NOTICES else ""
    return f"{own}\n{cautions[kind]}" if own else cautions[kind]


def translated(answer: Translatable, translator: Translator | None) -> Iterator[str]:
    """Translate an answer, and yield the text as it is made.

    Args:
        answer: to which the translation is added.
        translator: None where there is no model.
    """
    if translation := _begun(answer, translator):
        assert translator is not None  # noqa: S101  # there is no translation without one
        yield f"\n\n{translation.text}"
        sentences = translator.from_english(answer.shown(), translation.question.language)
        for sentence in answer.timer.iterate("translate", sentences):
            yield _joined(translation, sentence)


async def atranslated(answer: Translatable, translator: Translator | None) -> AsyncIterator[str]:
    """Translate an answer asynchronously; see :func:`translated`."""
    if translation := _begun(answer, translator):
        assert translator is not None  # noqa: S101  # there is no translation without one
        yield f"\n\n{translation.text}"
        sentences = translator.afrom_english(answer.shown(), translation.question.language)
        async for sentence in answer.timer.iterate_async("translate", sentences):
            yield _joined(translation, sentence)


def _begun(answer: Translatable, translator: Translator | None) -> AnswerTranslation | None:
    """Return an empty translation; None where none is needed."""
    asked = answer.asked
    if asked is None or asked.language not in NOTICES or translator is None:
        return None
    lead = answer.lead(asked.language)
    answer.translation = AnswerTranslation(asked, lead, model=translator.name, prompts=translator.prompts)
    return answer.translation


def _joined(translation: AnswerTranslation, sentence: TranslatedSentence) -> str:
    """Add a sentence to a translation, and return the new text."""
    translation.sentences.append(sentence)
    return f"\n{sentence.shown(translation.question.language)}"
