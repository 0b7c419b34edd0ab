"""The translator of questions and verified sentences.

Each translated sentence is checked against its original.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from llama_index.core.base.llms.types import ChatMessage, ChatResponse, CompletionResponse
from llama_index.core.llms import LLM
from llama_index.core.prompts import BasePromptTemplate

from llama_index_medqa.answering.draft_reading import without_thoughts
from llama_index_medqa.answering.translation.notices import NOTICES
from llama_index_medqa.llms.openai_responses import is_cut_off
from llama_index_medqa.llms.server_errors import model_name, server_errors
from llama_index_medqa.prompts import (
    QUESTION_TO_ENGLISH,
    QUESTION_TO_ENGLISH_VERSION,
    SENTENCE_FROM_ENGLISH,
    SENTENCE_FROM_ENGLISH_VERSION,
    SENTENCE_TO_ENGLISH,
    SENTENCE_TO_ENGLISH_VERSION,
    template_hash,
)
from llama_index_medqa.text.language import foreign_language
from llama_index_medqa.text.printable import printable
from llama_index_medqa.text.quantities.number_matching import added_numbers, missing_numbers
from llama_index_medqa.verification.passages import EvidenceSentence, Passage
from llama_index_medqa.verification.verifier import Verifier

MACHINE_TRANSLATION = "machine translation, not verified"
_NOT_THE_SAME = "translated back, it does not say the same"
_QUOTES = "\"'“”„«»「」"


@dataclass(frozen=True, slots=True)
class TranslatedQuestion:
    """A question in another language, and its translation.

    Attributes:
        language: its language, such as ``German``.
        original: the question as it was asked.
        english: what is searched for and answered; empty where there is no translation.
        problem: why there is none, in a sentence for people; else empty.
    """

    language: str
    original: str
    english: str = ""
    problem: str = ""

    @property
    def is_pending(self) -> bool:
        """Return whether the translation has not been tried yet."""
        return not (self.english or self.problem)


@dataclass(frozen=True, slots=True)
class CitedText:
    """A verified sentence or quote with its citation marks.

    Attributes:
        text: in English, without marks.
        marks: of its citations, such as ``[PMID:101]``.
    """

    text: str
    marks: str


@dataclass(frozen=True, slots=True)
class TranslatedSentence:
    """The translation of a sentence of the answer.

    Attributes:
        english: the sentence that was verified.
        translation: what the model made of it; empty where it is not shown.
        marks: of the sentence's citations, such as ``[PMID:101]``.
        problem: why no translation is shown, such as ``the translation lacks 3.5``; else empty.
    """

    english: str
    translation: str
    marks: str
    problem: str = ""

    def shown(self, language: str) -> str:
        """Return the translation with its marks.

        Where there is none, the English sentence and why.

        Args:
            language: of the translation.
        """
        body = self.translation or f"[{NOTICES[language].untranslated}: {self.problem}] {self.english}"
        return f"{body} {self.marks}".rstrip()


@dataclass
class AnswerTranslation:
    """An unverified translation of a verified English answer.

    Attributes:
        question: the question, and the English one that was searched and answered.
        lead: fixed words before the sentences: that they are quotes, or that there is no answer; empty for an answer.
        sentences: the translated sentences, one for each of the answer, or quote of the findings, in their order.
        model: name of the model that translated.
        prompts: hashes of the templates by which it was asked, by their versions.
        note: says what the translation is.
    """

    question: TranslatedQuestion
    lead: str = ""
    sentences: list[TranslatedSentence] = field(default_factory=list)
    model: str = ""
    prompts: dict[str, str] = field(default_factory=dict)
    note: str = MACHINE_TRANSLATION

    @property
    def heading(self) -> str:
        """Return the heading over the translation, in its language and in English."""
        return f"{NOTICES[self.question.language].machine_translation} ({self.note}):"

    @property
    def text(self) -> str:
        """Return the translation as a reader sees it, one sentence a line."""
        language = self.question.language
        return "\n".join(
            [self.heading, *([self.lead] if self.lead else []), *(s.shown(language) for s in self.sentences)]
        )


class Translator:
    """Translates with the model that drafts the answers.

    One request for a question, at most two for a sentence.

    A translated sentence is shown where it is in the language, holds the numbers of the English sentence, and what the
    same model makes of it in English and that sentence support each other, each as the only evidence.

    Args:
        llm: the model.
        verifier: decides whether one sentence supports another.
    """

    def __init__(self, llm: LLM, verifier: Verifier) -> None:
        self.name = model_name(llm)
        self._llm = llm
        self._verifier = verifier

    @property
    def prompts(self) -> dict[str, str]:
        """Return the hashes of the templates, by their versions."""
        return {
            QUESTION_TO_ENGLISH_VERSION: template_hash(QUESTION_TO_ENGLISH),
            SENTENCE_FROM_ENGLISH_VERSION: template_hash(SENTENCE_FROM_ENGLISH),
            SENTENCE_TO_ENGLISH_VERSION: template_hash(SENTENCE_TO_ENGLISH),
        }

    def to_english(self, question: str, language: str) -> TranslatedQuestion:
        """Translate a question into English.

        Args:
            question: as it was asked.
            language: its language, one of :data:`NOTICES`.

        Raises:
            ServerError: the model's server does not answer.
        """
        return self._question(question, language, self._ask(QUESTION_TO_ENGLISH, language=language, question=question))

    async def ato_english(self, question: str, language: str) -> TranslatedQuestion:
        """Translate a question asynchronously; see :meth:`to_english`."""
        answer = await self._aask(QUESTION_TO_ENGLISH, language=language, question=question)
        return self._question(question, language, answer)

    def from_english(self, sentences: Sequence[CitedText], language: str) -> Iterator[TranslatedSentence]:
        """Translate verified sentences, and check each by translating it back.

        Args:
            sentences: of an answer, or quotes.
            language: to translate into, one of :data:`NOTICES`.

        Raises:
            ServerError: the model's server does not answer.
        """
        for sentence in sentences:
            answer = self._ask(SENTENCE_FROM_ENGLISH, language=language, sentence=sentence.text)
            result = _checked(sentence, answer, language)
            if result.translation:
                back = self._ask(SENTENCE_TO_ENGLISH, language=language, sentence=result.translation)
                result = self._compared(result, back)
            yield result

    async def afrom_english(self, sentences: Sequence[CitedText], language: str) -> AsyncIterator[TranslatedSentence]:
        """Translate sentences asynchronously; see :meth:`from_english`."""
        for sentence in sentences:
            answer = await self._aask(SENTENCE_FROM_ENGLISH, language=language, sentence=sentence.text)
            result = _checked(sentence, answer, language)
            if result.translation:
                back = await self._aask(SENTENCE_TO_ENGLISH, language=language, sentence=result.translation)
                result = await asyncio.to_thread(self._compared, result, back)
            yield result

    def _compared(self, sentence: TranslatedSentence, back: str) -> TranslatedSentence:
        """Return a translation that means the same as its original.

        Original and translation back must support each other.
        """
        english = sentence.english
        is_english = back and not foreign_language(back)
        # One way finds what was changed or added; that a half was lost ("but not …") is seen only the other way.
        if is_english and self._supports(english, back) and self._supports(back, english):
            return sentence
        return replace(sentence, translation="", problem=_NOT_THE_SAME)

    def _supports(self, evidence: str, claim: str) -> bool:
        """Return whether one sentence supports another."""
        [judged] = self._verifier.verify([claim], [_passage(evidence)])
        return judged.supported

    def _question(self, question: str, language: str, answer: str) -> TranslatedQuestion:
        problem = ""
        if not answer or foreign_language(answer):
            problem = "did not translate it into English"
        elif lost := added_numbers(answer, question, language):
            problem = f"lost {', '.join(lost)} on the way to English"
        if not problem:
            return TranslatedQuestion(language, question, answer)
        problem_text = f"The question is in {language}, and {self.name} {problem}: ask it in English."
        return TranslatedQuestion(language, question, problem=problem_text)

    def _ask(self, template: BasePromptTemplate, **fields: str) -> str:
        response: CompletionResponse | ChatResponse
        asked = self._asked(template, fields)
        with server_errors(self._llm):
            response = self._llm.complete(asked, formatted=True) if isinstance(asked, str) else self._llm.chat(asked)
        return _answer_of(response)

    async def _aask(self, template: BasePromptTemplate, **fields: str) -> str:
        response: CompletionResponse | ChatResponse
        asked = self._asked(template, fields)
        with server_errors(self._llm):
            if isinstance(asked, str):
                response = await self._llm.acomplete(asked, formatted=True)
            else:
                response = await self._llm.achat(asked)
        return _answer_of(response)

    def _asked(self, template: BasePromptTemplate, fields: dict[str, Any]) -> str | list[ChatMessage]:
        if self._llm.metadata.is_chat_model:
            return self._llm._get_messages(template, **fields)
        return self._llm._get_prompt(template, **fields)


def _answer_of(response: CompletionResponse | ChatResponse) -> str:
    """Return the line that a model wrote; nothing of an answer cut off."""
    if is_cut_off(response):
        return ""
    text = response.text if isinstance(response, CompletionResponse) else response.message.content or ""
    lines = (line.strip() for line in without_thoughts(text).splitlines())
    return printable(next((line for line in lines if line), "").strip(_QUOTES).strip())


def _passage(sentence: str) -> Passage:
    """Return a passage of one sentence."""
    whole = EvidenceSentence(sentence, 0, len(sentence), complete=True, in_title=False)
    return Passage("SHA:sentence", "", sentence, 0, (whole,))


def _checked(sentence: CitedText, answer: str, language: str) -> TranslatedSentence:
    """Return a translation in the language that keeps the numbers."""
    problem = ""
    if not answer or foreign_language(answer) != language:
        problem = f"the model wrote no {language}"
    elif missing := missing_numbers(sentence.text, answer, language):
        problem = f"the translation lacks {', '.join(missing)}"
    elif added := added_numbers(sentence.text, answer, language):
        problem = f"the translation says {', '.join(added)}, which the sentence does not"
    return TranslatedSentence(sentence.text, "" if problem else answer, sentence.marks, problem)
