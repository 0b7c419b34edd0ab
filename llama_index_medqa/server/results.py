"""Inputs and outputs of the service: limits, events, records, status, errors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from llama_index_medqa.answering.response import MedQAResponse
from llama_index_medqa.errors import InputError, MedQAError, ServerError
from llama_index_medqa.retrieval.paper_filter import PaperFilter

EVERY_PAPER = PaperFilter()
WITHHELD_TITLE = "[Withheld: the text of this record gives orders to a model.]"


class RecordNotFoundError(InputError):
    """The index holds no record with that id.

    Args:
        document_ids: the ids that are missing.
    """

    def __init__(self, document_ids: Sequence[str]) -> None:
        named = ", ".join(document_ids)
        super().__init__(f"The index holds no record {named}: give the PMID of one that it holds, such as 12345678.")


class LimitExceededError(InputError):
    """A question, a sentence or a text is longer than the service accepts."""


class ServiceBusyError(MedQAError):
    """The service's queue is full.

    Try again later.

    Args:
        waiting: how many.
        seconds: an estimate of when it helps to try again.
    """

    def __init__(self, waiting: int, seconds: float) -> None:
        super().__init__(f"{waiting} requests are waiting already. Try again in {max(1, round(seconds))} seconds.")
        self.seconds = max(1, round(seconds))


class AnswerTimeoutError(ServerError):
    """The model took longer for an answer than the service allows.

    Args:
        seconds: the limit.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"The answer took more than {seconds:g} seconds and was stopped. Ask a shorter question, or raise the "
            "limit most_answer_seconds."
        )


@dataclass(frozen=True)
class ServiceLimits:
    """The limits of one request.

    Attributes:
        answers_at_once: questions that the model drafts at the same time; a model on this machine does one.
        most_waiting: questions that wait for the model; more are refused.
        searches_at_once: searches and verifications that run at the same time.
        most_searches_waiting: searches and verifications that wait; more are refused.
        most_question_characters: of a question, or a search.
        most_history_messages: of a conversation, the last ones; earlier ones are not looked at.
        most_sentences: to verify in one request.
        most_sentence_characters: of each of them.
        most_documents: records or texts that they are held against.
        most_text_characters: of these texts together.
        most_found: records that a search gives.
        most_answer_seconds: time for one answer, waiting not counted.
        most_cached_answers: answers that are kept to be given again; 0 for none.
    """

    answers_at_once: int = 1
    most_waiting: int = 64
    searches_at_once: int = 2
    most_searches_waiting: int = 128
    most_question_characters: int = 2_000
    most_history_messages: int = 20
    most_sentences: int = 50
    most_sentence_characters: int = 2_000
    most_documents: int = 50
    most_text_characters: int = 100_000
    most_found: int = 50
    most_answer_seconds: float = 600.0
    most_cached_answers: int = 256

    def __post_init__(self) -> None:
        """Refuse limits with which nothing would be answered."""
        may_be_zero = {"most_waiting", "most_searches_waiting", "most_history_messages", "most_cached_answers"}
        for name, value in vars(self).items():
            least = 0 if name in may_be_zero else 1
            if value < least:
                raise InputError(f"{name} must be at least {least}, got {value}.")

    def require_question(self, question: str) -> None:
        """Refuse an empty question or search, or one that is too long."""
        if not question.strip():
            raise InputError("The question is empty: write one, such as: Does aspirin prevent strokes?")
        if len(question) > self.most_question_characters:
            raise LimitExceededError(
                f"The question has {len(question):,} characters; at most {self.most_question_characters:,} are "
                "taken. Ask a shorter one."
            )

    def require_sentences(self, sentences: Sequence[str]) -> None:
        """Refuse sentences that are none, empty, too many or too long."""
        if not sentences or not all(sentence.strip() for sentence in sentences):
            raise InputError("There is nothing to verify: give at least one sentence, and no empty one.")
        if len(sentences) > self.most_sentences:
            raise LimitExceededError(
                f"{len(sentences)} sentences are too many; at most {self.most_sentences} are verified at once. "
                "Send them in parts."
            )
        longest = max(map(len, sentences))
        if longest > self.most_sentence_characters:
            raise LimitExceededError(
                f"A sentence has {longest:,} characters; at most {self.most_sentence_characters:,} are taken. "
                "Split it into sentences."
            )

    def require_texts(self, document_ids: Sequence[str], texts: Mapping[str, str]) -> None:
        """Refuse records and texts that are too many, too long or empty."""
        count, characters = len(document_ids) + len(texts), sum(map(len, texts.values()))
        if count > self.most_documents:
            raise LimitExceededError(
                f"{count} records and texts are too many; at most {self.most_documents} are taken at once. Send fewer."
            )
        if characters > self.most_text_characters:
            raise LimitExceededError(
                f"The texts have {characters:,} characters; at most {self.most_text_characters:,} are taken. "
                "Send the parts that matter."
            )
        if not all(text.strip() for text in texts.values()):
            raise InputError("A text is empty: leave it out.")


@dataclass(frozen=True)
class Waiting:
    """The position of a question in the queue.

    Attributes:
        position: how many questions are answered before this one starts.
        seconds_estimate: about how long that takes; None before any answer was timed.
    """

    position: int
    seconds_estimate: float | None = None


@dataclass(frozen=True)
class Text:
    """A verified piece of an answer, as it comes; put together, the pieces are the text of the answer.

    Attributes:
        text: the piece.
    """

    text: str


@dataclass(frozen=True)
class Finished:
    """The end of an answer.

    Attributes:
        response: the whole answer.
        is_cached: whether it was given before, to the same question and filters, from the same index.
    """

    response: MedQAResponse
    is_cached: bool = False


AnswerEvent = Waiting | Text | Finished


@dataclass(frozen=True)
class FoundRecord:
    """A record that a search found.

    Attributes:
        document_id: ``PMID:123``, or ``SHA:…`` for a record without a PMID.
        pmid: PubMed identifier; None for a record without one.
        title: its title.
        journal: its journal; empty where unknown.
        year: publication year; None where unknown.
        publication_types: PubMed's names, such as ``Randomized Controlled Trial``.
        status: ``current``, ``retracted`` or ``concern``.
        score: the retriever's score, comparable within one search only.
        passage: its best passage, ``record.text[start:end]``; empty where it gives orders.
        start: first character of the passage in the record's text.
        end: the character after its last.
        gives_orders: whether its text gives orders to a model; then title and passage are withheld.
    """

    document_id: str
    pmid: str | None
    title: str
    journal: str
    year: int | None
    publication_types: tuple[str, ...]
    status: str
    score: float
    passage: str
    start: int
    end: int
    gives_orders: bool = False


@dataclass(frozen=True)
class StoredRecord:
    """A record as the index holds it.

    Attributes:
        document_id: ``PMID:123``, or ``SHA:…`` for a record without a PMID.
        pmid: PubMed identifier; None for a record without one.
        title: its title.
        text: title and abstract, a line for each section; ``text[start:end]`` of every citation is its quote.
        metadata: what is known of it: journal, year, authors, status and so on.
        gives_orders: whether its text gives orders to a model.
    """

    document_id: str
    pmid: str | None
    title: str
    text: str
    metadata: Mapping[str, Any] = field(default_factory=dict)
    gives_orders: bool = False


@dataclass(frozen=True)
class IndexStatus:
    """What a service answers from.

    Attributes:
        rows: chunks in the index.
        records: records in the index.
        statuses: number of records by status, such as ``current`` or ``retracted``.
        years: earliest and latest publication year; None where no record has one.
        identity: embedder, splitter and schema of the index.
        as_of: the day whose state of PubMed every record has at least; None where a source did not tell.
        generation: a value that is another after every change of the index.
        drafter: name of the model that drafts answers, or ``extractive``.
        verifier: what decides which sentences are supported.
        waiting: questions that are answered or wait now.
    """

    rows: int
    records: int
    statuses: Mapping[str, int]
    years: tuple[int, int] | None
    identity: Mapping[str, str | int]
    as_of: date | None
    generation: str
    drafter: str
    verifier: Mapping[str, Any]
    waiting: int
