"""Verifies the sentences of an answer against passages."""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, get_args

from llama_index_medqa.errors import InputError
from llama_index_medqa.text.abbreviations import acronyms_of
from llama_index_medqa.text.sentences import unwrapped
from llama_index_medqa.verification.citation_marks import MarkedSentence, sentences_with_marks, take_apart
from llama_index_medqa.verification.claims import clauses_of, statement_of
from llama_index_medqa.verification.entailment import Entailment, EntailmentEncoder, EntailmentModel
from llama_index_medqa.verification.entity_check import entity_conflicts
from llama_index_medqa.verification.list_check import list_conflicts
from llama_index_medqa.verification.model_citations import cite, mark_findings, quotations, with_quotations
from llama_index_medqa.verification.passages import EvidenceSentence, Passage, passage_of_text
from llama_index_medqa.verification.quantity_check import quantity_conflicts
from llama_index_medqa.verification.rhetorical_roles import is_question
from llama_index_medqa.verification.verdicts import AnswerSentence, Citation, Finding, Strictness
from llama_index_medqa.verification.windows import Window, copied_window, title_window, windows_of_all

# Another number where the checks or the choice of windows change: part of every identity.
CHECKS_VERSION = 8
_MOST_CITATIONS = 3
# Another record is cited beside the best one where it supports the claim nearly as surely.
_NEARLY = 0.1
# Of the chance of support what a failed exact check leaves, so that claims that fail can still be ranked.
_LEFT_BY_A_FAILED_CHECK = 0.3
# Of the lowest threshold the most that this may be.
_BELOW = 0.9
_COPIED = Entailment(supported=1.0, not_enough=0.0, contradicted=0.0)


class Verifier(Protocol):
    """Verifies sentences against passages."""

    @property
    def identity(self) -> Mapping[str, Any]:
        """Return what decides the verdicts, fit for JSON.

        Part of the identity of every answer and score.
        """
        ...

    def verify(self, sentences: Sequence[str], passages: Sequence[Passage], question: str = "") -> list[AnswerSentence]:
        """Return the verdict on each sentence, in order.

        Args:
            sentences: as a model wrote them, with its citation marks.
            passages: the evidence.
            question: what was asked.
        """
        ...


@dataclass(frozen=True)
class Reading:
    """The judgement of model and checks on a window beside a claim.

    Attributes:
        window: what was read.
        entailment: the model's chances.
        findings: numbers and names of the claim that the window lacks.
    """

    window: Window
    entailment: Entailment
    findings: tuple[Finding, ...] = ()

    @property
    def support(self) -> float:
        """Return the chance that the window supports the claim, 0 to 1.

        0 where a check found something.
        """
        return 0.0 if self.findings else self.entailment.supported


class ClaimVerifier:
    """Verifies with an entailment model and exact checks of numbers and names.

    A claim is held against windows of the nearest passages: a few sentences with the title. A window supports it where
    the model's chance of support reaches the threshold, every number stands there or right beside it with its unit, and
    the passage has every name. A record that contradicts the claim more surely than it supports it does not support it.
    A claim that no record supports whole is verified clause by clause, each by its own records, and no clause may be
    one that no text says. Titles, questions, aims and orders to the reader support nothing, and a question is no claim.

    Args:
        model: judges pairs of texts; None takes the encoder in the package.
        strictness: which of the model's thresholds is used: ``strict`` lets the fewest wrong sentences through,
            ``open`` keeps the most right ones.

    Raises:
        InputError: ``strictness`` is none of these.
    """

    def __init__(self, model: EntailmentModel | None = None, strictness: Strictness = "balanced") -> None:
        if strictness not in get_args(Strictness):
            raise InputError(f"strictness cannot be {strictness!r}: choose {', '.join(get_args(Strictness))}.")
        self._model: EntailmentModel = model or EntailmentEncoder()
        self.strictness: Strictness = strictness

    @property
    def identity(self) -> Mapping[str, Any]:
        """Return the model, the version of the checks, and the strictness."""
        return {**self._model.identity, "checks": CHECKS_VERSION, "strictness": self.strictness}

    def verify(self, sentences: Sequence[str], passages: Sequence[Passage], question: str = "") -> list[AnswerSentence]:
        """Return the verdict on each sentence, in order.

        Args:
            sentences: as a model wrote them; citation marks and list markers are taken off.
            passages: the evidence.
            question: not used: what a sentence says is verified, not whether it answers.
        """
        return [self._verdict(take_apart(sentence), passages) for sentence in sentences]

    async def averify(
        self, sentences: Sequence[str], passages: Sequence[Passage], question: str = ""
    ) -> list[AnswerSentence]:
        """Verify without blocking the event loop; see :meth:`verify`."""
        return await asyncio.to_thread(self.verify, sentences, passages, question)

    def readings(self, claim: str, passages: Sequence[Passage], cited: Collection[str] = ()) -> list[Reading]:
        """Judge the windows that may decide a claim.

        Args:
            claim: without citation marks.
            passages: the evidence.
            cited: documents that the claim names.
        """
        copied = {passage: window for passage in passages if (window := copied_window(claim, passage))}
        others = windows_of_all(claim, [passage for passage in passages if passage not in copied], cited)
        judged = self._model.judge([(window.premise, claim) for window in others]) if others else []
        read = [
            Reading(window, entailment, _findings(claim, window))
            for window, entailment in zip(others, judged, strict=True)
        ]
        return [*(Reading(window, _COPIED) for window in copied.values()), *read]

    def _verdict(self, sentence: MarkedSentence, passages: Sequence[Passage]) -> AnswerSentence:
        claim = statement_of(sentence.text)
        if not claim or is_question(claim):
            return AnswerSentence(sentence.text, findings=(Finding("no_claim", "the sentence states nothing"),))
        evidence = _Evidence(self.readings(claim, passages, sentence.claimed), sentence, passages)
        clauses = clauses_of(claim)
        supporting = evidence.supporting(self._model.thresholds[self.strictness])
        parts: dict[str, _Evidence] = {}
        if len(clauses) > 1 and not (supporting and supporting[0].entailment == _COPIED):
            parts = {
                clause: _Evidence(self.readings(clause, passages, sentence.claimed), sentence, passages)
                for clause in clauses
            }
            # A true first half must not carry a second one that no text says.
            if not all(part.says(self._model.thresholds["open"]) for part in parts.values()):
                supporting = []
        citations = self._citations(claim, supporting, evidence, sentence.claimed)
        support = evidence.support(min(self._model.thresholds[name] for name in get_args(Strictness)))
        if parts and not supporting:
            judged = [self._clause(clause, part, sentence.claimed) for clause, part in parts.items()]
            if all(found for found, _ in judged):
                citations = tuple(dict.fromkeys(citation for found, _ in judged for citation in found))
                support = min(chance for _, chance in judged)
        documents = {citation.document_id for citation in citations}
        opposing = evidence.opposing(self._model.thresholds["contradicted"], documents)
        marks = mark_findings(
            sentence, evidence.documents_of(supporting) | documents, {p.document_id for p in passages}
        )
        if citations:
            return AnswerSentence(sentence.text, "supported", support, citations, opposing, tuple(marks))
        reasons = (*evidence.reasons(self._model.thresholds[self.strictness]), *marks)
        return AnswerSentence(
            sentence.text, "contradicted" if opposing else "unsupported", support, (), opposing, reasons
        )

    def _clause(self, clause: str, evidence: "_Evidence", claimed: Sequence[str]) -> tuple[tuple[Citation, ...], float]:
        supporting = evidence.supporting(self._model.thresholds[self.strictness])
        best = supporting[0].support if supporting else 0.0
        return self._citations(clause, supporting[:1], evidence, claimed), best

    def _citations(
        self, claim: str, supporting: Sequence[Reading], evidence: "_Evidence", claimed: Sequence[str]
    ) -> tuple[Citation, ...]:
        chosen = _to_cite(supporting, claimed)
        spans = [citation for reading in chosen for citation in self._spans(claim, reading)]
        quoted = [extra for reading in chosen for extra in evidence.quoted[reading.window.passage.document_id] or ()]
        return with_quotations(spans, quoted)

    def _spans(self, claim: str, reading: Reading) -> list[Citation]:
        """Return the spans of a window that support a claim.

        They are the one whole sentence that supports it by itself, with the title and without; else all sentences of
        the window. A title that states a finding takes their place only where they do not support it without a title.
        """
        window, threshold = reading.window, self._model.thresholds[self.strictness]
        if reading.entailment == _COPIED:
            return _cited(window)
        whole = [sentence for sentence in window.sentences if sentence.complete]
        if len(window.sentences) > 1 and whole:
            alone = [Window(window.passage, (sentence,)) for sentence in whole]
            support = self._supports(claim, alone, [one.premise for one in alone])
            without_title = self._supports(claim, alone, [one.text for one in alone])
            best = max(range(len(alone)), key=lambda number: support[number] + without_title[number])
            window = alone[best] if support[best] >= threshold else window
        if title := title_window(window.passage):
            by_text, by_title = self._supports(claim, [window, title], [window.text, title.text])
            window = title if by_title >= threshold > by_text else window
        return _cited(window)

    def _supports(self, claim: str, windows: Sequence[Window], premises: Sequence[str]) -> list[float]:
        """Return the chance that each premise supports a claim.

        0 where a check finds something in its window.
        """
        judged = self._model.judge([(premise, claim) for premise in premises])
        return [
            Reading(window, entailment, _findings(claim, window)).support
            for window, entailment in zip(windows, judged, strict=True)
        ]


def verify_text(
    sentences: str | Sequence[str],
    text: str,
    *,
    title: str = "",
    strictness: Strictness = "balanced",
    verifier: Verifier | None = None,
) -> list[AnswerSentence]:
    """Return the verdict on each sentence beside one text, in order.

    Citation marks are taken off: only an index knows which record they name.

    Args:
        sentences: what may be said of the text; a text of several sentences is split.
        text: the evidence; ``text[start:end]`` is the quote of every citation.
        title: of the text, where it has one.
        strictness: see :class:`ClaimVerifier`.
        verifier: in place of a :class:`ClaimVerifier` of this strictness.

    Raises:
        InputError: there is no sentence, or the text is empty.
    """
    if isinstance(sentences, str):
        draft = unwrapped(sentences)
        sentences = [draft[start:end] for start, end in sentences_with_marks(draft)]
    if not sentences:
        raise InputError("There is nothing to verify: give one sentence or more.")
    if not text.strip():
        raise InputError("The text to verify against is empty: give one that says something.")
    judge = verifier or ClaimVerifier(strictness=strictness)
    claims = [take_apart(sentence).text for sentence in sentences]
    return [with_quotes_of(judged, text) for judged in judge.verify(claims, [passage_of_text(unwrapped(text), title)])]


def with_quotes_of(judged: AnswerSentence, text: str) -> AnswerSentence:
    """Return a verdict with its quotes taken from a text.

    For a text whose wrapped lines were joined before it was verified.

    Args:
        judged: a verdict beside a text with the same positions.
        text: in which the quotes stand.
    """

    def quoted(citation: Citation) -> Citation:
        return replace(citation, quote=text[citation.start : citation.end])

    return replace(judged, citations=tuple(map(quoted, judged.citations)), opposing=tuple(map(quoted, judged.opposing)))


class _Evidence:
    """The readings of a claim, by record."""

    def __init__(self, readings: Sequence[Reading], sentence: MarkedSentence, passages: Sequence[Passage]) -> None:
        by_document: dict[str, list[Reading]] = {}
        for reading in readings:
            by_document.setdefault(reading.window.passage.document_id, []).append(reading)
        self.readings = readings
        self.best = {name: max(found, key=lambda one: one.support) for name, found in by_document.items()}
        self.against = {
            name: max(found, key=lambda one: one.entailment.contradicted) for name, found in by_document.items()
        }
        self.quoted = {passage.document_id: quotations(sentence, passage.document_id, passages) for passage in passages}

    def says(self, threshold: float) -> bool:
        """Return whether any window supports the claim with at least this chance."""
        return any(reading.support >= threshold for reading in self.readings)

    def support(self, lowest: float) -> float:
        """Return the chance that the best window supports the claim, 0 to 1.

        A window that failed a check keeps a share of its chance, always below the lowest threshold: no verdict rests
        on it.
        """
        share = min(_LEFT_BY_A_FAILED_CHECK, _BELOW * lowest)
        return max(
            (share * one.entailment.supported if one.findings else one.support for one in self.readings), default=0.0
        )

    def supporting(self, threshold: float) -> list[Reading]:
        """Return the best supporting reading of each record, the surest first."""
        found = [
            reading
            for name, reading in self.best.items()
            if reading.support >= threshold
            and reading.support >= self.against[name].entailment.contradicted
            and self.quoted[name] is not None
        ]
        return sorted(found, key=lambda reading: -reading.support)

    def opposing(self, threshold: float, supporting: Iterable[str]) -> tuple[Citation, ...]:
        """Return citations of the records that only contradict the claim."""
        found = [
            reading
            for name, reading in self.against.items()
            if name not in supporting and reading.entailment.contradicted >= threshold
        ]
        found.sort(key=lambda reading: -reading.entailment.contradicted)
        return tuple(citation for reading in found for citation in _cited(reading.window))

    def documents_of(self, readings: Iterable[Reading]) -> set[str]:
        """Return the document ids of some readings."""
        return {reading.window.passage.document_id for reading in readings}

    def reasons(self, threshold: float) -> list[Finding]:
        """Return the reasons why nothing supports the claim."""
        reasons = []
        if self.quoted and all(found is None for found in self.quoted.values()):
            reasons.append(Finding("quote", "no record holds the words in quotation marks"))
        if not self.readings:
            return [*reasons, Finding("no_evidence", "no retrieved text speaks of this")]
        nearest = max(self.readings, key=lambda reading: reading.entailment.supported)
        if not reasons and (nearest.entailment.supported < threshold or not nearest.findings):
            reasons.append(Finding("not_entailed", "no retrieved text says all of this"))
        return [*reasons, *nearest.findings]


def _findings(claim: str, window: Window) -> tuple[Finding, ...]:
    """Return the numbers, names and items of a claim that a window lacks.

    Numbers may stand right beside the window, names anywhere in its passage.
    """
    passage = window.passage.text
    numbers = quantity_conflicts(claim, window.context)
    names = entity_conflicts(claim, window.text, passage, abbreviations=acronyms_of(passage))
    items = list_conflicts(claim, passage, abbreviations=acronyms_of(passage))
    return (
        *(Finding("quantity", detail) for detail in numbers),
        *(Finding("entity", detail) for detail in (*names, *items)),
    )


def _to_cite(supporting: Sequence[Reading], claimed: Sequence[str]) -> list[Reading]:
    """Choose the surest readings and those nearly as sure.

    A record that the model named comes before others.
    """
    if not supporting:
        return []
    least = supporting[0].support - _NEARLY
    chosen = [one for one in supporting if one.support >= least or one.window.passage.document_id in claimed]
    chosen.sort(key=lambda one: one.window.passage.document_id not in claimed)
    return sorted(chosen[:_MOST_CITATIONS], key=lambda one: -one.support)


def _cited(window: Window) -> list[Citation]:
    """Return a citation for each run of adjacent sentences."""
    everything = window.passage.sentences
    runs: list[tuple[EvidenceSentence, EvidenceSentence]] = []
    for sentence in window.sentences:
        if runs and everything.index(runs[-1][1]) == everything.index(sentence) - 1:
            runs[-1] = (runs[-1][0], sentence)
        else:
            runs.append((sentence, sentence))
    return [cite(window.passage, first.start, last.end) for first, last in runs]
