"""A draft is checked sentence by sentence while it is written."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from functools import cached_property

from llama_index_medqa._common.timer import Stopwatch
from llama_index_medqa.answering.context import Evidence
from llama_index_medqa.answering.draft_reading import DraftPart, DraftReader, capitalised
from llama_index_medqa.answering.drafting import EXTRACTIVE, Piece, TokenUsage
from llama_index_medqa.answering.findings import relevant_findings
from llama_index_medqa.answering.response import (
    WITHDRAWN,
    Abstention,
    AnswerIdentity,
    MedQAResponse,
    citation_marks,
    disagreements,
    quoted,
    source_mark,
    spoken,
)
from llama_index_medqa.answering.short_answer.answer_type import answer_type
from llama_index_medqa.answering.short_answer.exact_answer import ExactAnswer, Label, exact_answer, yes_or_no
from llama_index_medqa.answering.translation.notices import NOTICES
from llama_index_medqa.answering.translation.translator import AnswerTranslation, CitedText, TranslatedQuestion
from llama_index_medqa.prompts import ABSTENTION
from llama_index_medqa.text.anaphora import leans_back
from llama_index_medqa.text.injection.detector import gives_orders
from llama_index_medqa.text.injection.directives import is_directive
from llama_index_medqa.text.printable import printable
from llama_index_medqa.verification.citation_marks import take_apart
from llama_index_medqa.verification.passages import document_id_of, passages_of
from llama_index_medqa.verification.verdicts import AnswerSentence, Citation, Finding

_UNUSUAL = ("retracted", "concern")
_YES_OR_NO = re.compile(r"(yes|no)\s*(?:[,;:.!–—-]+\s*|$)", re.IGNORECASE)
_QUOTED_CHARACTERS = 60


class DraftCheck:
    """An answer in the making: takes the drafter's text in pieces and gives out the sentences that may be said.

    What of the text is no answer is taken off first (:class:`DraftReader`). Where the drafter ends by saying that there
    is no answer, what was given out before is withdrawn. Where no sentence is left, quotes that come nearest follow.

    Args:
        evidence: what was gathered.
        judge: judges one sentence.
        identity: with what the answer is made.
        watch: counts the seconds.
        judge_yes: judges the statement that "yes" to the question asserts; None from it where there is none.
        as_of: the day whose state of PubMed the index has.
        caution: said before the answer.
        notice: shown beside every answer.

    Attributes:
        evidence: what was gathered.
        watch: counts the seconds.
        translation: of the answer, where one was made.
    """

    def __init__(
        self,
        evidence: Evidence,
        judge: Callable[[str], AnswerSentence],
        identity: AnswerIdentity,
        *,
        watch: Stopwatch,
        judge_yes: Callable[[], AnswerSentence | None] = lambda: None,
        as_of: date | None = None,
        caution: str | None = None,
        notice: str | None = None,
    ) -> None:
        self.evidence = evidence
        self.watch = watch
        self.translation: AnswerTranslation | None = None
        self._judge = judge
        self._judge_yes = judge_yes
        self._identity = identity
        self._as_of = as_of
        self._caution = caution
        self._notice = notice
        self._statuses = {
            document_id_of(item.node): str(item.node.metadata["status"])
            for item in evidence.nodes
            if item.node.metadata.get("status") in _UNUSUAL
        }
        self._reader = DraftReader(evidence.question, is_quoted=identity.model == EXTRACTIVE)
        self._draft: list[str] = []
        self._sentences: list[AnswerSentence] = []
        self._dropped: list[AnswerSentence] = []
        self._findings: list[Citation] = []
        self._exact_answer: ExactAnswer | None = None
        # "yes" and "no" as the drafter said them to the question.
        self._drafted_labels: set[str] = set()
        # The sentence before, where it was left out: what leans on it cannot be understood.
        self._lost: str | None = None
        self._declined = False
        self._refused = False
        self._cut_off = False
        self._has_given = False
        self._usage: TokenUsage | None = None

    def feed(self, piece: Piece) -> Iterator[str]:
        """Takes the next piece; yields what can be said now. The last sentence waits for the one after it."""
        text = printable(piece.text)
        self._draft.append(text)
        self._cut_off = self._cut_off or piece.cut_off
        self._usage = piece.usage or self._usage
        for part in self._reader.feed(text):
            yield from self._take(part)

    def finish(self) -> Iterator[str]:
        """Takes the end of the draft; yields what is left to say."""
        for part in self._reader.finish(cut_off=self._cut_off):
            yield from self._take(part)
        if self._refused and self._sentences:
            yield from self._withdraw("the drafter said at last that there is no answer")
        if not self._sentences:
            if not self.evidence.refusal:
                with self.watch.stage("select"):
                    self._findings = relevant_findings(self.evidence.question, passages_of(self.evidence.nodes))
            yield self._given(self._text())
        self._exact_answer = self._short_answer()

    @property
    def asked(self) -> TranslatedQuestion | None:
        """The question as it was asked, where it was not in English."""
        return self.evidence.asked

    def shown(self) -> list[CitedText]:
        """What is to be translated: the sentences of the answer, or the quotes, each with its marks."""
        if self._sentences:
            policy = self._identity.policy
            marks = ["".join(citation_marks(sentence, policy, self._statuses)) for sentence in self._sentences]
            return [CitedText(item.text, mark) for item, mark in zip(self._sentences, marks, strict=True)]
        return [CitedText(" ".join(item.quote.split()), source_mark(item, self._statuses)) for item in self._findings]

    def lead(self, language: str) -> str:
        """What is said before them in a language: that they are quotes, or that there is no answer."""
        if self._sentences:
            return ""
        return NOTICES[language].findings if self._findings else NOTICES[language].abstention

    def response(self) -> MedQAResponse:
        """The answer so far."""
        evidence, abstained = self.evidence, self._abstention()
        shown = [*(citation for sentence in self._sentences for citation in sentence.citations), *self._findings]
        cited = {citation.document_id for citation in shown}
        return MedQAResponse(
            response=self._text(),
            source_nodes=evidence.nodes,
            sentences=list(self._sentences),
            findings=list(self._findings),
            exact_answer=self._exact_answer,
            dropped=list(self._dropped),
            draft="".join(self._draft),
            taken_off=self._reader.taken_off,
            cut_off=self._cut_off,
            evidence_left_out=0 if evidence.refusal else evidence.left_out,
            translation=self.translation,
            abstained=abstained,
            explanation=evidence.unmet_filters or self._explanation(abstained),
            searched=evidence.searched,
            excluded=evidence.excluded,
            unanswered=evidence.unanswered,
            confidence=evidence.confidence,
            disagreements=disagreements(self._sentences),
            retracted={name: status for name, status in self._statuses.items() if name in cited},
            withheld=evidence.withheld,
            caution=self._caution,
            notice=self._notice,
            answered_by=self._identity.model,
            as_of=self._as_of,
            identity=self._identity,
            usage=self._usage,
            seconds=self.watch.seconds,
        )

    def _take(self, part: DraftPart) -> Iterator[str]:
        if part.kind == "sentence":
            yield from self._check(part.text)
        elif part.kind == "withdrawal":
            yield from self._withdraw("the drafter marked it as thoughts")
        elif part.kind == "cut_off":
            self._drop(AnswerSentence(part.text), Finding("cut_off", "the drafter was stopped in it"))
        else:
            self._declined = True
            self._refused = self._refused or part.kind == "refusal"
            self._lost = part.text

    def _check(self, sentence: str) -> Iterator[str]:
        text = take_apart(sentence).text
        if is_directive(text) or gives_orders(text):
            self._drop(AnswerSentence(text), Finding("directive", "it tells the reader what to do"))
            return
        if self._is_strict and self._lost is not None and leans_back(text):
            lost = self._lost if len(self._lost) <= _QUOTED_CHARACTERS else f"{self._lost[:_QUOTED_CHARACTERS]}…"
            self._drop(AnswerSentence(text), Finding("antecedent", f'it leans on "{lost}", which is not shown'))
            return
        with self.watch.stage("verify"):
            judged = self._judged(sentence, text)
        if any(judged.text == said.text for said in self._sentences):
            # Small models repeat themselves.
            self._lost = None
        elif self._is_strict and not judged.supported:
            self._drop(judged)
        else:
            self._lost, self._refused = None, False
            self._sentences.append(judged)
            said = self._spoken(judged)
            yield self._given(said if len(self._sentences) == 1 else f" {said}")

    def _judged(self, sentence: str, text: str) -> AnswerSentence:
        """The verdict on a sentence; it keeps its "yes" or "no" only where the evidence says that to the question."""
        word = _YES_OR_NO.match(text)
        if word is None:
            return self._judge(sentence)
        self._drafted_labels.add(word.group(1).lower())
        rest = text[word.end() :]
        agreed = self._yes_or_no == word.group(1).lower()
        if not rest:
            return self._bare(text, agreed=agreed)
        judged = self._judge(sentence)
        if agreed or self._identity.policy == "report":
            return judged
        return replace(judged, text=capitalised(rest))

    def _bare(self, word: str, *, agreed: bool) -> AnswerSentence:
        """The verdict on "Yes." or "No."."""
        verdict = self._verdict_on_yes
        if not (agreed and verdict):
            return AnswerSentence(word, findings=(Finding("yes_no", "the evidence does not say so to the question"),))
        if verdict.supported:
            return replace(verdict, text=word, findings=())
        return AnswerSentence(word, "supported", verdict.support, verdict.opposing)

    @cached_property
    def _verdict_on_yes(self) -> AnswerSentence | None:
        return self._judge_yes()

    @property
    def _yes_or_no(self) -> Label | None:
        """What the evidence says to the question: ``yes``, ``no``, or neither."""
        verdict = self._verdict_on_yes
        labels: dict[str, Label] = {"supported": "yes", "contradicted": "no"}
        return labels.get(verdict.verdict) if verdict else None

    def _short_answer(self) -> ExactAnswer | None:
        """The names, numbers or yes or no that answer; no label that the drafter denied."""
        question = self.evidence.question
        if not self._sentences or answer_type(question).wanted != "yes_no":
            return exact_answer(question, self._sentences, self._findings)
        with self.watch.stage("verify"):
            label, verdict = self._yes_or_no, self._verdict_on_yes
        if label is None or verdict is None or self._drafted_labels - {label}:
            return None
        return yes_or_no(question, label, verdict.citations if label == "yes" else verdict.opposing)

    def _drop(self, sentence: AnswerSentence, *findings: Finding) -> None:
        self._dropped.append(replace(sentence, findings=(*sentence.findings, *findings)))
        # What follows "Yes." speaks of the question.
        self._lost = None if _YES_OR_NO.fullmatch(sentence.text) else sentence.text

    def _withdraw(self, why: str) -> Iterator[str]:
        if not self._sentences:
            return
        self._dropped += [
            replace(sentence, findings=(*sentence.findings, Finding("withdrawn", why))) for sentence in self._sentences
        ]
        self._sentences.clear()
        self._lost = None
        yield self._given(f"\n\n{WITHDRAWN}\n\n")

    def _given(self, text: str) -> str:
        """What goes out to the reader; the first of it says what must be said before."""
        is_first, self._has_given = not self._has_given, True
        return f"{self._caution}\n\n{text}" if self._caution and is_first else text

    def _text(self) -> str:
        if self._sentences:
            return " ".join(map(self._spoken, self._sentences))
        return quoted(self._findings, self._statuses) if self._findings else ABSTENTION

    def _spoken(self, sentence: AnswerSentence) -> str:
        return spoken(sentence, self._identity.policy, self._statuses)

    @property
    def _is_strict(self) -> bool:
        return self._identity.policy == "strict"

    @property
    def _whole(self) -> list[AnswerSentence]:
        """The dropped sentences that were drafted to their end."""
        return [item for item in self._dropped if all(finding.kind != "cut_off" for finding in item.findings)]

    def _abstention(self) -> Abstention | None:
        if self._sentences:
            return None
        if self.evidence.refusal:
            return self.evidence.refusal
        if self._refused or (self._declined and not self._whole):
            return "model_declined"
        return "nothing_supported" if self._whole else "nothing_drafted"

    def _explanation(self, abstained: Abstention | None) -> str:
        """Why there is no answer, in words for people; empty where there is one."""
        drafter, count = self._identity.model, len(self._whole)
        sentences = f"{count} sentence{'' if count == 1 else 's'}"
        besides = f" What it drafted besides, {sentences}, is left out." if count else ""
        told: dict[Abstention | None, str] = {
            "language": self.asked.problem if self.asked else "",
            "no_evidence": "No retrieved record speaks of what was asked.",
            "model_declined": f"{drafter} found no answer in what it was shown.{besides}",
            "nothing_supported": f"{drafter} drafted {sentences}, of which none could be verified.",
            "nothing_drafted": self._nothing_drafted(),
        }
        return told.get(abstained, "")

    def _nothing_drafted(self) -> str:
        drafter = self._identity.model
        if drafter == EXTRACTIVE:
            return "No sentence of the retrieved records is near enough to the question to be given as its answer."
        if self._cut_off:
            return f"{drafter} reached the most tokens that it may write before it had written a sentence of an answer."
        return f"{drafter} drafted no sentence of an answer."
