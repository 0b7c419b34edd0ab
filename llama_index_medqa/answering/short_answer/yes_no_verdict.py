"""What the evidence says to a question of yes or no."""

from collections.abc import Callable
from functools import cached_property

from llama_index_medqa.answering.short_answer.answer_type import answer_type
from llama_index_medqa.answering.short_answer.exact_answer import ExactAnswer, Label, yes_or_no
from llama_index_medqa.text.term_weights import idf_sum, terms
from llama_index_medqa.verification.rhetorical_roles import tells_of_study
from llama_index_medqa.verification.verdicts import AnswerSentence, Citation

# "Yes" needs more support than another sentence, and so does one that says no more than the question: a draft says yes
# to nearly everything. Chosen on calibration questions: below it 12 of 19 were to be answered so, above it 9 of 10. Of
# 149 training questions of BioASQ 36 of 42, and 32 of 36. That it takes one sentence, not several joined, was tried
# there too: of the four "yes" that it takes away two were right.
_LEAST_SUPPORT_OF_YES = 0.8
# Of what a sentence says, by rarity: with less of its own it repeats the question. Chosen by judgement.
_LEAST_OF_ITS_OWN = 0.15


class YesNoVerdict:
    """Whether the evidence says yes or no to a question; nothing is judged before it is asked for.

    Args:
        question: what was asked.
        judge: the verifier on the statement that "yes" asserts; None from it where there is none.
        read: what the drafter reads out of the evidence, for where the verifier cannot tell.

    Attributes:
        drafted: ``yes`` and ``no``, as far as the drafter said them to the question.
    """

    def __init__(
        self, question: str, judge: Callable[[], AnswerSentence | None], read: Callable[[], Label | None]
    ) -> None:
        self._question = question
        self._judge = judge
        self._read = read
        self.drafted: set[str] = set()

    @property
    def is_asked(self) -> bool:
        """Return whether the question is one of yes or no."""
        return answer_type(self._question).wanted == "yes_no"

    @property
    def label(self) -> Label | None:
        """Return what the evidence says to the question: ``yes``, ``no``, or neither."""
        if self._verdict is None:
            return None
        if self._verdict.verdict == "contradicted":
            return "no"
        return "yes" if _says_surely(self._verdict) else None

    @property
    def citations(self) -> tuple[Citation, ...]:
        """Return where the evidence says it."""
        if self._verdict is None:
            return ()
        return self._verdict.opposing if self.label == "no" else tuple(filter(_says, self._verdict.citations))

    def problem(self, judged: AnswerSentence) -> str:
        """Return why a supported sentence does not answer the question.

        It repeats the question, and no record says so surely; or it tells how a study was done. Empty
        where neither is so.

        Args:
            judged: a supported sentence of the draft.
        """
        if tells_of_study(judged.text):
            return "it tells what was studied, not what was found"
        if _repeats(self._question, judged.text) and not _says_surely(judged):
            return "it repeats the question, and no record says so surely enough"
        return ""

    def sentence(self, text: str) -> AnswerSentence:
        """Return a sentence that says it, supported by the evidence for it.

        Args:
            text: such as "Yes.".
        """
        return AnswerSentence(text, "supported", self._verdict.support if self._verdict else 0.0, self.citations)

    @property
    def is_disputed(self) -> bool:
        """Return whether the drafter said the contrary of what the verifier says."""
        return self.label is not None and bool(self.drafted - {self.label})

    def answer(self, *, is_said: bool) -> ExactAnswer | None:
        """Return yes or no where the evidence says it, and the drafter not the contrary.

        Args:
            is_said: whether it was shown as the first sentence of the answer, and so stands.
        """
        label = self.label
        if label is None or (self.is_disputed and not is_said):
            return None
        return yes_or_no(label, self.citations)

    def reading(self, shown: list[Citation]) -> ExactAnswer | None:
        """Return what the drafter reads out of the evidence.

        Args:
            shown: what the reader sees beside it.
        """
        read = self._read() if shown else None
        return yes_or_no(read, shown, is_model_reading=True) if read else None

    @cached_property
    def _verdict(self) -> AnswerSentence | None:
        return self._judge()


def _says_surely(judged: AnswerSentence) -> bool:
    """Return whether a record says surely what was judged, and not in telling how a study was done."""
    return judged.supported and judged.support >= _LEAST_SUPPORT_OF_YES and any(map(_says, judged.citations))


def _says(citation: Citation) -> bool:
    return not tells_of_study(citation.quote)


def _repeats(question: str, text: str) -> bool:
    """Return whether a sentence says hardly more than the question."""
    own = terms(text)
    new = own - terms(question)
    has_number = any(character.isdigit() for character in text)
    return not has_number and idf_sum(new) < _LEAST_OF_ITS_OWN * idf_sum(own)
