"""Responses of the query engine, with all metadata of the answer."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from types import MappingProxyType
from typing import Any, Literal, Protocol

from llama_index.core.base.response.schema import AsyncStreamingResponse, Response, StreamingResponse

from llama_index_medqa._common.late_imports import renamed
from llama_index_medqa.answering.draft_reading import TakenOff
from llama_index_medqa.answering.drafting import TokenUsage
from llama_index_medqa.answering.short_answer.exact_answer import ExactAnswer
from llama_index_medqa.answering.translation.translator import AnswerTranslation
from llama_index_medqa.profiles import Policy
from llama_index_medqa.pubmed.data_date import attribution
from llama_index_medqa.text.personal_questions import PersonalQuestion
from llama_index_medqa.text.printable import printable
from llama_index_medqa.verification.passages import document_id_of
from llama_index_medqa.verification.verdicts import AnswerSentence, Citation

Abstention = Literal["language", "no_evidence", "model_declined", "nothing_supported", "nothing_drafted"]
Outcome = Literal["answer", "findings", "nothing_found"]

NOT_MEDICAL_ADVICE = "This is a summary of literature, not medical advice."
FINDINGS_LEAD = "No answer could be verified. These are quotes, not an answer; they come nearest to the question:"
WITHDRAWN = "Withdrawn: what stands above is not the answer."
# Said before an answer to a question of a person about a person.
CAUTIONS: Mapping[PersonalQuestion, str] = MappingProxyType(
    {
        "emergency": "If this is happening now, call your local emergency number or a poison control centre at once. "
        "What follows is only what the literature says.",
        "advice": "What follows is what the literature says; it cannot judge one person's case: ask a doctor or "
        "pharmacist before acting on it.",
    }
)


@dataclass(frozen=True)
class AnswerIdentity:
    """What an answer was made with.

    Answers with the same identity and question can be compared.

    Attributes:
        model: name of the model that drafted, or ``extractive``.
        prompt: hash of the prompt's template; None without a model.
        policy: what was done with sentences that nothing supports.
        index: what the index was built with; empty where the retriever does not tell.
        verifier: the version and hash of what decided which sentences are supported.
    """

    model: str
    prompt: str | None
    policy: Policy
    index: dict[str, Any] = field(default_factory=dict)
    verifier: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Disagreement:
    """Papers that contradict one another.

    Attributes:
        sentence: the sentence of the answer on which they disagree.
        supporting: what says so.
        opposing: what says the contrary.
    """

    sentence: str
    supporting: tuple[Citation, ...]
    opposing: tuple[Citation, ...]


@dataclass(frozen=True)
class ExcludedPaper:
    """A paper near the question that a filter excluded.

    Attributes:
        document_id: ``PMID:123``, or ``SHA:…`` for a record without a PMID.
        title: its title.
        why: what it does not meet, such as ``retracted``, or ``year >= 2020 (2011)``.
    """

    document_id: str
    title: str
    why: str


@dataclass
class MedQAResponse(Response):
    """The response to a question.

    A verified answer; else the nearest quotes, said to be quotes; else nothing.

    As text (``str(response)``) it is ``caution``, where there is one, and ``response``.

    Attributes:
        response: the text: the sentences with their citation marks; or a line that says that no answer could be
            verified, and the quotes; or the abstention sentence.
        source_nodes: the retrieved chunks.
        metadata: the fields below as plain data, fit for JSON.
        sentences: the sentences of the answer, each with its verdict and citations.
        findings: quotes from the retrieved papers that come nearest to the question, where no answer could be verified;
            nobody verified that they answer it. Empty where there is an answer.
        exact_answer: the answer in short: yes or no, up to five names or numbers, or a list, each with its span; None
            where the question asks for a description, or none was found. Where there are only findings, it is taken
            from them, and says so.
        dropped: sentences that were drafted and left out; the ``findings`` of each say why.
        draft: what the drafter wrote, as it came; empty where none was asked.
        taken_off: what the draft held beside the answer: ``thoughts``, ``heading``, ``question`` (an echo of it),
            ``introduction``, ``next turn``.
        cut_off: whether the model reached the most tokens that it may write; its last sentence is among ``dropped``.
        evidence_left_out: retrieved sentences that the model was not shown.
        translation: the answer in the language of its question, marked as a machine's and not verified, with the
            question and the English one that was searched; None where the question is in English.
        abstained: why there is no answer; None where there is one. ``language``: the question could not be translated;
            ``no_evidence``: what was retrieved does not speak of what was asked; ``model_declined``: the model said
            so; ``nothing_supported``: no drafted sentence was supported; ``nothing_drafted``: no sentence was drafted.
        explanation: the same in a sentence for people; empty where there is an answer.
        searched: what was searched for: the question, or its parts.
        excluded: papers that come near the question and were not used because of a filter, where nothing was found.
        unanswered: parts of the question that what was retrieved does not speak of.
        unnamed_populations: groups of people that the question names, such as ``women``, and what was read of the cited
            records does not.
        confidence: how well what was retrieved meets the question, 0 to 1; None where nothing was retrieved.
        disagreements: sentences on which papers disagree.
        retracted: records among the citations and findings that were retracted or are of concern, with their status.
        withheld: records that were not used because their text gives orders to the model.
        caution: what must be said before the answer to a question about a person's own case, or in an emergency.
        notice: what is to be shown beside every answer, such as that it is no medical advice.
        answered_by: name of the model that drafted the answer, or ``extractive``.
        as_of: the day whose state of PubMed the index has; None where unknown.
        identity: with what the answer was made.
        usage: tokens that the model read and wrote; None where none was asked.
        seconds: time by stage: ``retrieve``, ``select``, ``generate`` and ``verify``; ``translate`` where it was.
    """

    sentences: list[AnswerSentence] = field(default_factory=list)
    findings: list[Citation] = field(default_factory=list)
    exact_answer: ExactAnswer | None = None
    dropped: list[AnswerSentence] = field(default_factory=list)
    draft: str = ""
    taken_off: list[TakenOff] = field(default_factory=list)
    cut_off: bool = False
    evidence_left_out: int = 0
    translation: AnswerTranslation | None = None
    abstained: Abstention | None = None
    explanation: str = ""
    searched: list[str] = field(default_factory=list)
    excluded: list[ExcludedPaper] = field(default_factory=list)
    unanswered: list[str] = field(default_factory=list)
    unnamed_populations: list[str] = field(default_factory=list)
    confidence: float | None = None
    disagreements: list[Disagreement] = field(default_factory=list)
    retracted: dict[str, str] = field(default_factory=dict)
    withheld: list[str] = field(default_factory=list)
    caution: str | None = None
    notice: str | None = None
    answered_by: str = ""
    as_of: date | None = None
    identity: AnswerIdentity | None = None
    usage: TokenUsage | None = None
    seconds: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Store the fields as plain data where LlamaIndex expects metadata."""
        if self.metadata is None:
            self.metadata = self._plain()

    @property
    def outcome(self) -> Outcome:
        """``answer``, ``findings`` or ``nothing_found``.

        ``answer``: verified sentences; ``findings``: quotes, because none was verified.
        """
        if self.abstained is None:
            return "answer"
        return "findings" if self.findings else "nothing_found"

    @property
    def citations(self) -> list[Citation]:
        """Return the citations of all sentences, each once, in order."""
        return list(dict.fromkeys(citation for sentence in self.sentences for citation in sentence.citations))

    def __str__(self) -> str:
        """Return the text as a reader must see it."""
        translation = self.translation.text if self.translation else ""
        return printable("\n\n".join(part for part in (self.caution, str(self.response), translation) if part))

    @property
    def source(self) -> str:
        """Return the source of the retrieved records.

        PubMed only where they have its numbers and a day.
        """
        ids = (
            f"PMID:{item.node.metadata['pmid']}" if item.node.metadata.get("pmid") else document_id_of(item.node)
            for item in self.source_nodes
        )
        return attribution(list(ids), self.as_of)

    def _plain(self) -> dict[str, Any]:
        own = {name: getattr(self, name) for name in MedQAResponse.__annotations__}
        return {
            "outcome": self.outcome,
            **{name: _as_plain(value) for name, value in own.items()},
            "citations": [asdict(citation) for citation in self.citations],
            "source": self.source,
        }


class Unfinished(Protocol):
    """An answer that is still being written."""

    def response(self) -> MedQAResponse:
        """Return the response so far."""
        ...


@dataclass
class MedQAStreamingResponse(StreamingResponse):
    """A response whose verified sentences arrive one by one.

    ``get_response()`` reads the rest of the stream and gives the :class:`MedQAResponse`. Where a drafter says after
    sentences that were given out that there is no answer, a line says that they are withdrawn, and quotes follow.
    """

    _draft: Unfinished | None = None

    @property
    def outcome(self) -> Outcome:
        """``answer``, ``findings`` or ``nothing_found`` so far.

        Certain once the stream has ended.
        """
        assert self._draft is not None  # noqa: S101  # only MedQAQueryEngine makes these
        return self._draft.response().outcome

    @property
    def caution(self) -> str | None:
        """Return the caution at the start of the text.

        Where a person asks about their own case, or tells of an emergency.
        """
        assert self._draft is not None  # noqa: S101  # only MedQAQueryEngine makes these
        return self._draft.response().caution

    def get_response(self) -> MedQAResponse:
        """Return the whole response after reading the stream."""
        super().get_response()
        assert self._draft is not None  # noqa: S101  # only MedQAQueryEngine makes these
        return self._draft.response()


@dataclass
class MedQAAsyncStreamingResponse(AsyncStreamingResponse):
    """The asynchronous :class:`MedQAStreamingResponse`, for ``aquery``."""

    _draft: Unfinished | None = None

    async def get_response(self) -> MedQAResponse:
        """Return the whole response after reading the stream."""
        await super().get_response()
        assert self._draft is not None  # noqa: S101  # only MedQAQueryEngine makes these
        return self._draft.response()


def with_citations(sentence: AnswerSentence, policy: Policy, retracted: dict[str, str]) -> str:
    """Return a sentence as the answer shows it.

    With its citations, and with what the policy adds.

    Args:
        sentence: what was judged.
        policy: with ``mark``, a sentence that nothing supports says so.
        retracted: status by document id; a citation of such a paper says so, whatever the policy.
    """
    marks = citation_marks(sentence, policy, retracted)
    if not marks:
        return sentence.text
    body = sentence.text.rstrip(".")
    return f"{body} {''.join(marks)}{sentence.text[len(body) :]}"


def citation_marks(sentence: AnswerSentence, policy: Policy, retracted: dict[str, str]) -> list[str]:
    """Return the marks behind a sentence, each once; see :func:`with_citations`."""
    marks = [
        f"{citation.mark} ({retracted[citation.document_id]})" if citation.document_id in retracted else citation.mark
        for citation in sentence.citations
    ]
    if policy == "mark" and sentence.verdict == "unsupported":
        marks.append("[unsupported]")
    if policy == "mark" and sentence.verdict == "contradicted":
        opposing = dict.fromkeys(citation.mark.strip("[]") for citation in sentence.opposing)
        marks.append(f"[contradicted by {', '.join(opposing)}]")
    return list(dict.fromkeys(marks))


def quoted(findings: Sequence[Citation], retracted: dict[str, str]) -> str:
    """Return quotes as text, under a heading.

    A line says what they are; each quote has its own line, with its source.

    Args:
        findings: quotes.
        retracted: status by document id; a quote of such a paper says so.
    """
    lines = [f"“{' '.join(item.quote.split())}” {source_mark(item, retracted)}" for item in findings]
    return "\n".join([FINDINGS_LEAD, *lines])


def source_mark(finding: Citation, retracted: dict[str, str]) -> str:
    """Return the mark of a quote's source.

    With its status where it is retracted or of concern.
    """
    status = f" ({retracted[finding.document_id]})" if finding.document_id in retracted else ""
    return f"{finding.mark}{status}"


def disagreements(sentences: Sequence[AnswerSentence]) -> list[Disagreement]:
    """Return the sentences that some papers support and others contradict."""
    found = []
    for sentence in sentences:
        cited = {citation.document_id for citation in sentence.citations}
        opposing = tuple(citation for citation in sentence.opposing if citation.document_id not in cited)
        if cited and opposing:
            found.append(Disagreement(sentence.text, sentence.citations, opposing))
    return found


def _as_plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_as_plain(item) for item in value]
    if isinstance(value, date):
        return value.isoformat()
    return asdict(value) if hasattr(value, "__dataclass_fields__") else value


__getattr__ = renamed(__name__, {"spoken": "with_citations"})
