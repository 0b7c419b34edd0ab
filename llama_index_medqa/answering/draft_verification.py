"""Verifies a draft sentence by sentence while it is written."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import date

from llama_index.core.schema import NodeWithScore

from llama_index_medqa._common.timer import StageTimer
from llama_index_medqa.answering.context import AnswerContext
from llama_index_medqa.answering.draft_reading import DraftPart, DraftReader, capitalised
from llama_index_medqa.answering.drafting import EXTRACTIVE, Piece, TokenUsage
from llama_index_medqa.answering.explanation import explanation
from llama_index_medqa.answering.findings import relevant_findings
from llama_index_medqa.answering.questions.focus import Form, form_of
from llama_index_medqa.answering.quoting import as_quote, quoted_instead, same
from llama_index_medqa.answering.response import (
    WITHDRAWN,
    Abstention,
    AnswerIdentity,
    MedQAResponse,
    citation_marks,
    disagreements,
    quoted,
    source_mark,
    with_citations,
)
from llama_index_medqa.answering.short_answer.exact_answer import ExactAnswer, Label, exact_answer
from llama_index_medqa.answering.short_answer.yes_no_verdict import YesNoVerdict
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
# Of what says yes, or no, to the question.
_MOST_LEADING_QUOTES = 2
# An answer of fewer sentences is followed by quotes that hold so much of the question. Chosen on calibration questions:
# of those without the papers that answer them one in twelve has such a quote.
_ENOUGH_SENTENCES: dict[Form, int] = {"yes_no": 0, "description": 2, "list": 4, "comparison": 3}
_LEAST_SHARE_OF_FURTHER_QUOTES = 0.65


class DraftVerifier:
    """Verifies the pieces of a draft, and gives out the verified sentences.

    What of the text is no answer is taken off first (:class:`DraftReader`). Where the drafter ends by saying that there
    is no answer, what was given out before is withdrawn. Where no sentence is left, quotes that come nearest follow.

    Args:
        evidence: the context of the answer.
        judge: judges one sentence.
        identity: with what the answer is made.
        timer: counts the seconds.
        judge_yes: judges the statement that "yes" to the question asserts; None from it where there is none.
        read_yes_or_no: what the drafter reads out of the evidence, for where the verifier cannot tell.
        read_whole: the retrieved chunks with the others of the nearest records, for quotes in place of an answer.
        as_of: the day whose state of PubMed the index has.
        caution: said before the answer.
        notice: shown beside every answer.

    Attributes:
        evidence: the context of the answer.
        timer: counts the seconds.
        translation: of the answer, where one was made.
    """

    def __init__(
        self,
        evidence: AnswerContext,
        judge: Callable[[str], AnswerSentence],
        identity: AnswerIdentity,
        *,
        timer: StageTimer,
        judge_yes: Callable[[], AnswerSentence | None] = lambda: None,
        read_yes_or_no: Callable[[], Label | None] = lambda: None,
        read_whole: Callable[[Sequence[NodeWithScore]], list[NodeWithScore]] = list,
        as_of: date | None = None,
        caution: str | None = None,
        notice: str | None = None,
    ) -> None:
        self.evidence = evidence
        self.timer = timer
        self.translation: AnswerTranslation | None = None
        self._judge = judge
        self._read_whole = read_whole
        self._yes_or_no = YesNoVerdict(evidence.question, judge_yes, read_yes_or_no)
        self._identity = identity
        self._as_of = as_of
        self._caution = caution
        self._notice = notice
        self._statuses = _unusual_statuses(evidence.nodes)
        self._reader = DraftReader(evidence.question, is_quoted=identity.model == EXTRACTIVE)
        self._draft: list[str] = []
        self._sentences: list[AnswerSentence] = []
        self._dropped: list[AnswerSentence] = []
        self._findings: list[Citation] = []
        self._exact_answer: ExactAnswer | None = None
        # "Yes." or "No.": it stands whatever the drafter says afterwards.
        self._lead: AnswerSentence | None = None
        self._has_begun = False
        # The sentence before, where it was left out: what leans on it cannot be understood.
        self._lost: str | None = None
        self._declined = self._refused = False
        self._cut_off = False
        self._has_given = False
        self._usage: TokenUsage | None = None

    def feed(self, piece: Piece) -> Iterator[str]:
        """Take the next piece, and yield what is verified; the last sentence waits."""
        text = printable(piece.text)
        self._draft.append(text)
        self._cut_off = self._cut_off or piece.cut_off
        self._usage = piece.usage or self._usage
        for part in self._reader.feed(text):
            yield from self._take(part)

    def finish(self) -> Iterator[str]:
        """Take the end of the draft, and yield the remaining text."""
        for part in self._reader.finish(cut_off=self._cut_off):
            yield from self._take(part)
        yield from self._begin("")
        if self._refused and self._sentences:
            yield from self._withdraw("the drafter said at last that there is no answer")
        if not self._sentences:
            if not self.evidence.refusal:
                with self.timer.stage("select"):
                    self.evidence.take(self._read_whole(self.evidence.nodes))
                    self._findings = relevant_findings(self.evidence.question, passages_of(self.evidence.nodes))
            yield self._given(self._text())
        elif self._is_strict and self._identity.model != EXTRACTIVE:
            yield from self._quote_further()
        self._exact_answer = self._short_answer()

    @property
    def asked(self) -> TranslatedQuestion | None:
        """Return the question as it was asked, if it was not in English."""
        return self.evidence.asked

    def shown(self) -> list[CitedText]:
        """Return the sentences or quotes to translate, each with its marks."""
        if self._sentences:
            policy = self._identity.policy
            marks = ["".join(citation_marks(sentence, policy, self._statuses)) for sentence in self._sentences]
            return [CitedText(item.text, mark) for item, mark in zip(self._sentences, marks, strict=True)]
        return [CitedText(" ".join(item.quote.split()), source_mark(item, self._statuses)) for item in self._findings]

    def lead(self, language: str) -> str:
        """Return the line before that text: quotes follow, or there is no answer."""
        if self._sentences:
            return ""
        return NOTICES[language].findings if self._findings else NOTICES[language].abstention

    def response(self) -> MedQAResponse:
        """Return the response so far."""
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
            unnamed_populations=evidence.unnamed_populations(cited),
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
            seconds=self.timer.seconds,
        )

    def _begin(self, drafted: str) -> Iterator[str]:
        """Yield yes or no if the evidence says so and the draft does not deny it."""
        if self._has_begun or self.evidence.refusal:
            return
        self._has_begun = True
        if not (self._yes_or_no.is_asked and self._is_strict):
            return
        word = _YES_OR_NO.match(drafted)
        with self.timer.stage("verify"):
            label = self._yes_or_no.label
        if label is None or (word and word.group(1).lower() != label):
            return
        self._lead = self._yes_or_no.sentence(f"{label.capitalize()}.")
        yield from self._say(self._lead)

    def _say(self, sentence: AnswerSentence) -> Iterator[str]:
        """Yield a sentence of the answer, unless it is there already."""
        # Small models repeat themselves.
        self._lost = None
        if not any(sentence.text == said.text for said in self._sentences):
            self._sentences.append(sentence)
            said = self._spoken(sentence)
            yield self._given(said if len(self._sentences) == 1 else f" {said}")

    def _quote_further(self) -> Iterator[str]:
        """Yield further quotes on the question after a short answer."""
        if self._lead:
            further = list(self._lead.citations[:_MOST_LEADING_QUOTES])
        else:
            enough = _ENOUGH_SENTENCES[form_of(self.evidence.question)]
            with self.timer.stage("select"):
                further = relevant_findings(
                    self.evidence.question,
                    passages_of(self.evidence.nodes),
                    most_papers=max(0, enough - len(self._sentences)),
                    most_quotes=1,
                    least_share=_LEAST_SHARE_OF_FURTHER_QUOTES,
                )
        for citation in further:
            quote = as_quote(citation)
            if not (self._is_said(citation) or any(same(quote.text, said.text) for said in self._sentences)):
                yield from self._say(quote)

    def _take(self, part: DraftPart) -> Iterator[str]:
        yield from self._begin(take_apart(part.text).text)
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
        with self.timer.stage("verify"):
            judged = self._answering(self._judged(sentence, text))
        if judged.supported or not self._is_strict:
            self._refused = False
            yield from self._say(judged)
            return
        self._drop(judged)
        if self._yes_or_no.is_asked:
            # What such a draft repeats is the question.
            return
        quote = quoted_instead(self.evidence.question, judged.text, self.evidence.passages)
        if quote and not self._is_said(quote.citations[0]):
            self._refused = False
            yield from self._say(quote)

    def _is_said(self, citation: Citation) -> bool:
        """Return whether a quoted span is in the answer already."""
        said = (other for sentence in self._sentences if sentence is not self._lead for other in sentence.citations)
        return any(
            other.document_id == citation.document_id and other.start < citation.end and citation.start < other.end
            for other in said
        )

    def _judged(self, sentence: str, text: str) -> AnswerSentence:
        """Return the verdict on a sentence; its yes or no must be the evidence's."""
        word = _YES_OR_NO.match(text)
        if word is None:
            return self._judge(sentence)
        self._yes_or_no.drafted.add(word.group(1).lower())
        rest = text[word.end() :]
        agreed = self._yes_or_no.label == word.group(1).lower()
        if not rest and agreed:
            return self._yes_or_no.sentence(text)
        if not rest:
            return AnswerSentence(text, findings=(Finding("yes_no", "the evidence does not say so to the question"),))
        judged = self._judge(sentence)
        if (agreed and not self._lead) or self._identity.policy == "report":
            return judged
        return replace(judged, text=capitalised(rest))

    def _answering(self, judged: AnswerSentence) -> AnswerSentence:
        """Return the verdict; a supported sentence must answer a question of yes or no."""
        is_judged = self._yes_or_no.is_asked and judged.supported and self._identity.policy != "report"
        problem = self._yes_or_no.problem(judged) if is_judged and not _YES_OR_NO.fullmatch(judged.text) else ""
        if not problem:
            return judged
        findings = (*judged.findings, Finding("yes_no", problem))
        return replace(judged, verdict="unsupported", citations=(), findings=findings)

    def _short_answer(self) -> ExactAnswer | None:
        """Return names, numbers, yes or no; no label that the drafter denied."""
        if not self._yes_or_no.is_asked:
            return exact_answer(self.evidence.question, self._sentences, self._findings)
        if self.evidence.refusal:
            return None
        with self.timer.stage("verify"):
            answer = self._yes_or_no.answer(is_said=bool(self._lead)) if self._sentences else None
        if answer or self._yes_or_no.is_disputed:
            return answer
        shown = [citation for sentence in self._sentences for citation in sentence.citations] or self._findings
        with self.timer.stage("generate"):
            return self._yes_or_no.reading(shown)

    def _drop(self, sentence: AnswerSentence, *findings: Finding) -> None:
        self._dropped.append(replace(sentence, findings=(*sentence.findings, *findings)))
        # What follows "Yes." speaks of the question.
        self._lost = None if _YES_OR_NO.fullmatch(sentence.text) else sentence.text

    def _withdraw(self, why: str) -> Iterator[str]:
        drafted = [sentence for sentence in self._sentences if sentence is not self._lead]
        if not drafted:
            return
        self._dropped += [
            replace(sentence, findings=(*sentence.findings, Finding("withdrawn", why))) for sentence in drafted
        ]
        self._sentences = [self._lead] if self._lead else []
        self._lost = None
        yield self._given(f"\n\n{WITHDRAWN}\n\n")
        if self._sentences:
            yield self._given(self._text())

    def _given(self, text: str) -> str:
        """Return the text for the reader, after what must come before the answer."""
        is_first, self._has_given = not self._has_given, True
        return f"{self._caution}\n\n{text}" if self._caution and is_first else text

    def _text(self) -> str:
        if self._sentences:
            return " ".join(map(self._spoken, self._sentences))
        return quoted(self._findings, self._statuses) if self._findings else ABSTENTION

    def _spoken(self, sentence: AnswerSentence) -> str:
        return with_citations(sentence, self._identity.policy, self._statuses)

    @property
    def _is_strict(self) -> bool:
        return self._identity.policy == "strict"

    @property
    def _whole(self) -> list[AnswerSentence]:
        """Return the dropped sentences that were drafted to their end."""
        return [item for item in self._dropped if all(finding.kind != "cut_off" for finding in item.findings)]

    def _explanation(self, abstained: Abstention | None) -> str:
        problem = self.asked.problem if self.asked else ""
        drafted = len(self._whole)
        return explanation(abstained, self._identity.model, drafted=drafted, cut_off=self._cut_off, problem=problem)

    def _abstention(self) -> Abstention | None:
        if self._sentences:
            return None
        if self.evidence.refusal:
            return self.evidence.refusal
        if self._refused or (self._declined and not self._whole):
            return "model_declined"
        return "nothing_supported" if self._whole else "nothing_drafted"


def _unusual_statuses(nodes: Sequence[NodeWithScore]) -> dict[str, str]:
    return {
        document_id_of(item.node): str(item.node.metadata["status"])
        for item in nodes
        if item.node.metadata.get("status") in _UNUSUAL
    }
