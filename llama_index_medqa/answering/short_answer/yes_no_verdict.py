"""What the evidence says to a question of yes or no."""

from collections.abc import Callable
from functools import cached_property

from llama_index_medqa.answering.short_answer.answer_type import answer_type
from llama_index_medqa.answering.short_answer.exact_answer import ExactAnswer, Label, yes_or_no
from llama_index_medqa.verification.verdicts import AnswerSentence, Citation

# Without a drafter that says so too, "yes" needs more support than another sentence. Chosen on the calibration
# questions: of 29 that the verifier supports, 21 are to be answered so; of the 10 with so much support, 9.
_LEAST_SUPPORT_OF_YES = 0.8


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
        """Return what the verifier says to the question: ``yes``, ``no``, or neither."""
        labels: dict[str, Label] = {"supported": "yes", "contradicted": "no"}
        return labels.get(self._verdict.verdict) if self._verdict else None

    @property
    def is_sure(self) -> bool:
        """Return whether the verifier may say so without the drafter."""
        support = self._verdict.support if self._verdict else 0.0
        return self.label == "no" or (self.label == "yes" and support >= _LEAST_SUPPORT_OF_YES)

    @property
    def citations(self) -> tuple[Citation, ...]:
        """Return where the evidence says it."""
        if self._verdict is None:
            return ()
        return self._verdict.opposing if self.label == "no" else self._verdict.citations

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
        """Return the verifier's yes or no: where it is sure, or the drafter says so too.

        Args:
            is_said: whether it was shown as the first sentence of the answer, and so stands.
        """
        label = self.label
        if label is None or (self.is_disputed and not is_said):
            return None
        return yes_or_no(label, self.citations) if is_said or self.is_sure or label in self.drafted else None

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
