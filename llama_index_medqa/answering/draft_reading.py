"""Extracts the answer from a draft.

Thoughts, headings, echoes of the question and talk about the passages are taken off.

Models think aloud, with marks (``<think>``) or without; some chat templates write the opening mark themselves, so that
only the closing one is in the draft. None of that may be judged: a thought that a record supports is still no answer.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from llama_index_medqa.prompts import ABSTENTION
from llama_index_medqa.verification.citation_marks import sentences_with_marks

DraftPartKind = Literal["sentence", "refusal", "remark", "cut_off", "withdrawal"]
TakenOff = Literal["thoughts", "heading", "question", "introduction", "next turn"]


@dataclass(frozen=True, slots=True)
class DraftPart:
    """A part of a draft that matters for the answer.

    Attributes:
        kind: ``sentence``: of the answer; ``refusal``: says that there is no answer; ``remark``: says what the passages
            do not tell; ``cut_off``: the half sentence in which the drafter was stopped; ``withdrawal``: what was
            given before was no answer.
        text: as drafted; of a sentence without what stands around it ("Answer:", "The passage states that").
    """

    kind: DraftPartKind
    text: str = ""


_TAG_NAMES = (
    r"(?:seed:)?(?:think|thinking|thought|thoughts|reason|reasoning|reflection|analysis|scratchpad|inner_monologue|"
    r"chain_of_thought)"
)
_OPENING = (
    rf"<\|?\s*{_TAG_NAMES}\s*\|?>|◁think▷|\[THINK\]|<unused94>(?:thought)?|"
    r"<\|channel\|?>\s*(?:analysis|commentary|thought)\b[^<]*?(?:<\|message\|>|\n)|<\|(?:begin|start)_of_thought\|>"
)
_CLOSING = (
    rf"<\s*/\s*\|?\s*{_TAG_NAMES}\s*\|?>|◁/think▷|\[/THINK\]|<unused95>|<\|(?:end)_of_thought\|>|<channel\|>|"
    r"(?:<\|end\|>\s*)?(?:<\|start\|>\s*assistant\s*)?<\|channel\|>\s*final\b[^<]*<\|message\|>|\bassistantfinal(?=\W|"
    r"[A-Z])"
)
# Marks of an answer, and of a conversation, that say nothing.
_NEUTRAL = (
    r"</?\s*(?:answer|final_answer|response|output|final|s)\s*>|<\|(?:im_start|im_end|end|eot_id|endoftext|return|"
    r"message|"
    r"begin_of_solution|end_of_solution|start|assistant)\|>|```\w*"
)
_MARK = re.compile(f"(?P<opening>{_OPENING})|(?P<closing>{_CLOSING})|(?P<neutral>{_NEUTRAL})", re.IGNORECASE)
_CLOSING_MARK = re.compile(_CLOSING, re.IGNORECASE)
# A mark that is still being written is shorter than this.
_LONGEST_MARK = 80

_HEADING_LINE = re.compile(r"#{1,6}\s*(?P<hashed>.*)|(?P<stars>\*\*|__)(?P<bold>[^*_]{1,60})(?P=stars)\s*:?")
_EMPHASIS = r"(?:\*\*|__|\*)?"
_THINKING_NAME = (
    r"(?:(?:my |internal |step[- ]by[- ]step |initial )?(?:thinking|thoughts?|reasoning|thought process|"
    r"thinking process|"
    r"chain of thought|analysis|scratchpad|working|deliberation|reflection|plan)(?: process| steps)?|let me think|"
    r"let['’]s think(?: step by step)?|understanding the question|step \d+)"
)
_ANSWER_NAME = (
    r"(?:(?:the |my )?(?:final |short |direct |revised )?(?:answer|response|output)|conclusions?|summary|in summary|"
    r"explanation|rationale|result|findings)"
)
_THINKING_LABEL = re.compile(rf"{_EMPHASIS}{_THINKING_NAME}{_EMPHASIS}\s*(?::|\.\.\.|…|$){_EMPHASIS}", re.IGNORECASE)
_ANSWER_LABEL = re.compile(
    rf"(?:#{{1,6}}\s*)?{_EMPHASIS}(?:a|{_ANSWER_NAME}){_EMPHASIS}\s*:{_EMPHASIS}\s*", re.IGNORECASE
)
_ANSWER_HEADING = re.compile(rf"{_ANSWER_NAME}\W*", re.IGNORECASE)
_QUESTION_LABEL = re.compile(rf"{_EMPHASIS}(?:question|q|query)\s*(?:\d+\s*)?:{_EMPHASIS}\s*", re.IGNORECASE)
_NEXT_TURN = re.compile(
    rf"(?:#{{1,6}}\s*)?{_EMPHASIS}(?:passages?|context|user|human|instruction|input)\s*:|\[/?INST\]", re.IGNORECASE
)

_THINKING_ALOUD = re.compile(
    r"\W*(?:(?:so|now|well|right|then|but|and|ok(?:ay)?|alright|all right|hmm+|wait|first(?:ly)?|next|also|"
    r"here)\b[,.:!…\s]*)*"
    r"(?:(?:let me|let['’]s|let us)\b|(?:the|this) (?:user|question|query) (?:is |was )?(?:ask|want|seek|need|require|"
    r"about)\w*|the user\b|you (?:asked|are asking|want to know)\b|I(?:['’](?:ll|d|ve|m)| (?:will|need|should|must|"
    r"have to|"
    r"want|think|see|know|notice|recall|believe|wonder|guess|can see|also see|am|was|look(?:ed)? (?:at|for)|check))\b|"
    r"we (?:need to|have to|should|must|can see|are (?:asked|given|looking)|look at)\b|my (?:task|job|answer)\b|"
    r"to answer (?:this|the|your) question\b)"
    r"|\W*(?:ok(?:ay)?|alright|all right|hmm+|wait)\b[,.!…]",
    re.IGNORECASE,
)
_COURTESY = re.compile(
    r"\W*(?:(?:sure(?: thing)?|certainly|of course|absolutely|(?:a |that['’]s a )?(?:great|good) question)[,.!:]+\s*)+",
    re.IGNORECASE,
)
_INTRODUCTION = re.compile(
    r"\W*(?:(?:(?:based on|according to)[^,]{3,60},\s*)?(?:here(?:['’]s| is| are)|below (?:is|are)|"
    r"the answer (?:to (?:this|the|your) question )?is(?: as follows)?)\b[^.]{0,80}:)\W*",
    re.IGNORECASE,
)

_SOURCE = (
    r"(?:(?:(?:the|these|those|this|any of the|either of the|all of the|my)\s+)(?:(?:provided|given|supplied|"
    r"retrieved|above|"
    r"available|indexed|cited|first|second|third|other)\s+)*(?:passages?(?!\s+of\b)|abstracts?(?!\s+of\b)|contexts?|"
    r"(?:provided|given|supplied|retrieved) (?:texts?|information|evidence|literature|documents?|stud(?:y|ies)|"
    r"sources?|"
    r"papers?|data|records?)|indexed literature)|passages|abstracts)(?:\s+(?:provided|given|above))?"
)
_MODEL_MARK = r"(?:\s*\[[^\]]{1,40}\])?"
_LEAD_IN = (
    r"\W*(?:(?:yes|no|so|but|therefore|thus|hence|however|unfortunately|in (?:summary|conclusion)|overall|"
    rf"(?:based on|according to|from|given) {_SOURCE})[,:;]?\s+)*"
)
_LACK = (
    r"(?:do(?:es)? not|don['’]t|doesn['’]t|did not|didn['’]t|cannot|can['’]t|fails? to|provides? no|contains? no|"
    r"gives? no|"
    r"says? nothing|make(?:s)? no mention|has no|have no|offers? no|includes? no|lacks?|(?:is|are) (?:not|silent|"
    r"insufficient|unrelated|irrelevant)|neither|only)"
)
_ASKED = r"(?:the|this|that|your|my) (?:question|query)"
# The whole answer: that there is none.
_REFUSAL = re.compile(
    rf"{_LEAD_IN}(?:"
    r"(?:I|we)(?:['’]m| am| are)? ?(?:cannot|can['’]t|can not|could not|couldn['’]t|not able to|unable to|don['’]t|"
    r"do not)\s+"
    rf"(?:\w+ly )?(?:answer|provide an? (?:\w+ )?answer|give an? (?:\w+ )?answer|determine (?:this|the answer|from)|"
    rf"find "
    rf"(?:an|the|any) answer|know|have (?:an answer|(?:enough|sufficient|any) (?:information|evidence)))"
    rf"|{_ASKED} (?:cannot|can['’]t|can not|could not) be (?:\w+ly )?(?:answered|determined)"
    rf"|(?:this|it) (?:cannot|can['’]t|can not) be answered"
    rf"|{_SOURCE}{_MODEL_MARK} {_LACK}\b.{{0,80}}\b(?:answers?(?: to)?|to answer|address|answering|"
    rf"relevant to) {_ASKED}"
    rf"|{_SOURCE}{_MODEL_MARK} (?:do not|does not|don['’]t|doesn['’]t) (?:contain|provide|have|give|include|hold) "
    r"(?:an?|the|any) answer"
    rf"|there is (?:no|not enough|insufficient|not sufficient) (?:information|evidence|data|answer)\b.{{0,60}}\b"
    rf"(?:in {_SOURCE}|to answer {_ASKED})"
    rf"|(?:not enough|insufficient|no) (?:information|evidence|data)\b.{{0,30}}\bto answer {_ASKED}"
    r"|no answer(?: (?:was |is |can be )?(?:found|given|available|possible))?\W*$"
    r")",
    re.IGNORECASE,
)
# What the passages lack; beside an answer it says what is left open.
_REMARK = re.compile(
    rf"{_LEAD_IN}(?:"
    rf"(?:none of )?{_SOURCE}{_MODEL_MARK},? (?:also )?{_LACK}\b"
    rf"|none of {_SOURCE}"
    rf"|no (?:passages?|abstracts?)\b(?!\s+of\b)"
    rf"|there is no (?:mention|information|evidence|data|discussion)\b.{{0,80}}\bin {_SOURCE}"
    rf"|.{{3,120}}?\b(?:is|are|was|were) not (?:\w+ly )?(?:mentioned|discussed|addressed|stated|specified|described|"
    rf"reported|provided|covered|included|given|found) (?:in|by) {_SOURCE}"
    rf"|it is not (?:clear|stated|specified|mentioned|possible to (?:say|tell|determine)) (?:in|from) {_SOURCE}"
    r")",
    re.IGNORECASE,
)
# "The passage states that …" says what a passage says; a hedge ("suggests that") is part of the claim.
_FRAME = re.compile(
    rf"\W*(?:(?:based on|according to|as (?:stated|reported|described|mentioned|"
    rf"noted) in) {_SOURCE}(?P<mark>{_MODEL_MARK}),\s*"
    rf"|(?:as )?{_SOURCE}(?P<mark_2>{_MODEL_MARK}) (?:also |further |clearly |specifically |explicitly )?"
    r"(?:states?|stated|says?|said|reports?|reported|mentions?|mentioned|notes?|noted|indicates?|indicated|shows?|"
    r"showed|"
    r"explains?|explained|describes?|finds?|found|concludes?|concluded|reveals?|revealed|demonstrates?|demonstrated|"
    r"confirms?|confirmed)(?:\s+that\b|\s*:|,)\s*"
    r"|(?P<mark_3>\[[^\]]{1,40}\])\s+(?:states?|says?|reports?|mentions?|notes?|indicates?|shows?|finds?|"
    r"found)\s+that\s+)",
    re.IGNORECASE,
)
_SMALL_WORD = re.compile(r"[a-z]+(?![\w-]*[A-Z0-9])")
_NOT_A_WORD = re.compile(r"\W+")


class DraftReader:
    """Reads a draft piece by piece.

    The result does not depend on where the pieces are cut.

    Args:
        question: what was asked; its echo is no answer.
        is_quoted: whether the draft is made of sentences of the records, in which every sentence counts.
    """

    def __init__(self, question: str, *, is_quoted: bool = False) -> None:
        self._is_quoted = is_quoted
        self._echoes = {_flat(question), *(_flat(question[start:end]) for start, end in sentences_with_marks(question))}
        self._buffer = ""
        self._in_marked_thoughts = False
        self._in_named_thoughts = False
        # Sentences after one that thinks aloud wait until it is known whether an answer follows.
        self._held: list[str] | None = None
        self._has_given = False
        self._ended = False
        self._taken_off: dict[TakenOff, None] = {}

    @property
    def taken_off(self) -> list[TakenOff]:
        """Return the kinds of text that were taken off, in the order of the draft."""
        return list(self._taken_off)

    def feed(self, text: str) -> Iterator[DraftPart]:
        """Take the next piece, and yield what is certain now.

        The last sentence waits for the one after it.
        """
        self._buffer += text
        if not self._is_quoted:
            yield from self._through_marks()
        if self._in_marked_thoughts:
            return
        spans = sentences_with_marks(self._buffer)
        for start, end in spans[:-1]:
            yield from self._read(self._buffer[start:end])
        if len(spans) > 1:
            self._buffer = self._buffer[spans[-1][0] :]

    def finish(self, *, cut_off: bool) -> Iterator[DraftPart]:
        """Take the end of the draft, and yield the rest.

        Args:
            cut_off: whether the drafter was stopped by the most tokens that it may write: its last sentence may look
                whole and yet be half ("fell by 3." of "fell by 3.5 beats").
        """
        if not self._is_quoted:
            yield from self._through_marks()
        if self._in_marked_thoughts:
            self._buffer = ""
        spans = sentences_with_marks(self._buffer)
        half = spans.pop() if cut_off and spans else None
        for start, end in spans:
            yield from self._read(self._buffer[start:end])
        for sentence in self._held or ():
            yield from self._given(sentence)
        self._held = None
        if half and not (self._ended or self._in_named_thoughts):
            yield DraftPart("cut_off", self._buffer[half[0] : half[1]])
        self._buffer = ""

    def _through_marks(self) -> Iterator[DraftPart]:
        """Read up to the last mark in the buffer."""
        while True:
            if self._in_marked_thoughts:
                closing = _CLOSING_MARK.search(self._buffer)
                if closing is None:
                    self._buffer = self._buffer[-_LONGEST_MARK:]
                    return
                self._in_marked_thoughts = False
                self._buffer = self._buffer[closing.end() :]
                continue
            mark = _MARK.search(self._buffer)
            if mark is None:
                return
            before, self._buffer = self._buffer[: mark.start()], self._buffer[mark.end() :]
            if mark["closing"]:
                # The opening one was part of the prompt.
                yield from self._withdraw(has_text=bool(before.strip()))
                continue
            for start, end in sentences_with_marks(before):
                yield from self._read(before[start:end])
            if mark["opening"]:
                self._in_marked_thoughts = True
                self._taken_off["thoughts"] = None

    def _withdraw(self, *, has_text: bool) -> Iterator[DraftPart]:
        """Withdraw all parts so far as thoughts."""
        if has_text or self._held or self._has_given:
            self._taken_off["thoughts"] = None
        self._held, self._in_named_thoughts, self._ended = None, False, False
        if self._has_given:
            self._has_given = False
            yield DraftPart("withdrawal")

    def _read(self, sentence: str) -> Iterator[DraftPart]:
        """Read one sentence, or a line that is none."""
        sentence = sentence.strip()
        if self._is_quoted:
            yield DraftPart("sentence", sentence)
            return
        if self._ended or self._is_heading(sentence) or self._is_other_turn(sentence):
            return
        if not self._in_named_thoughts or _ANSWER_LABEL.match(sentence) or _is_refusal(sentence):
            yield from self._sentence(self._without_labels(sentence))

    def _without_labels(self, sentence: str) -> str:
        """Remove a model's openings: "Answer:", "Sure!", "Question:"."""
        if label := _ANSWER_LABEL.match(sentence):
            self._reach_answer()
            sentence = sentence[label.end() :].strip()
        if courtesy := _COURTESY.match(sentence):
            self._taken_off["introduction"] = None
            sentence = capitalised(sentence[courtesy.end() :])
        question = _QUESTION_LABEL.match(sentence)
        return sentence[question.end() :] if question else sentence

    def _sentence(self, sentence: str) -> Iterator[DraftPart]:
        if not _flat(sentence):
            return
        if _flat(sentence) in self._echoes:
            self._taken_off["question"] = None
        elif _INTRODUCTION.fullmatch(sentence):
            self._taken_off["introduction"] = None
        elif _THINKING_LABEL.match(sentence):
            self._in_named_thoughts = True
            self._taken_off["thoughts"] = None
        elif _THINKING_ALOUD.match(sentence) and not _is_refusal(sentence):
            self._taken_off["thoughts"] = None
            if not self._has_given and self._held is None:
                self._held = []
        elif self._held is None:
            yield from self._given(sentence)
        else:
            self._held.append(sentence)

    def _given(self, sentence: str) -> Iterator[DraftPart]:
        self._has_given = True
        if _is_refusal(sentence):
            yield DraftPart("refusal", sentence)
        elif _REMARK.match(sentence):
            yield DraftPart("remark", sentence)
        else:
            yield DraftPart("sentence", without_frame(sentence))

    def _is_heading(self, line: str) -> bool:
        found = _HEADING_LINE.fullmatch(line)
        if found is None:
            return False
        name = (found["hashed"] or found["bold"] or "").strip("*_: ")
        if _ANSWER_LABEL.match(line) and not _ANSWER_HEADING.fullmatch(name):
            # "## Answer: Green tea lowers it." goes on after its label.
            return False
        if _ANSWER_HEADING.fullmatch(name):
            self._reach_answer()
            self._taken_off["heading"] = None
        elif _THINKING_LABEL.fullmatch(name) or self._in_named_thoughts:
            self._in_named_thoughts = True
            self._taken_off["thoughts"] = None
        else:
            self._taken_off["heading"] = None
        return True

    def _reach_answer(self) -> None:
        """Discard as thoughts what was held back, and what stands under their heading."""
        self._held = None
        self._in_named_thoughts = False

    def _is_other_turn(self, line: str) -> bool:
        """Return whether the model goes on with passages or questions of its own."""
        asks = _QUESTION_LABEL.match(line)
        is_other_question = bool(asks and asks.end() > 2 and _flat(line[asks.end() :]) not in self._echoes)
        if not (_NEXT_TURN.match(line) or is_other_question):
            return False
        self._taken_off["next turn"] = None
        self._ended = self._has_given or bool(self._held)
        return True


def without_thoughts(text: str) -> str:
    """Return the answer behind thoughts.

    Marked thoughts are removed too; empty where the text is nothing but thoughts.
    """
    kept, in_thoughts, position = "", False, 0
    for mark in _MARK.finditer(text):
        kept += "" if in_thoughts else text[position : mark.start()]
        if mark["closing"]:
            kept, in_thoughts = kept if in_thoughts else "", False
        elif mark["opening"]:
            in_thoughts = True
        position = mark.end()
    return kept if in_thoughts else kept + text[position:]


def without_frame(sentence: str) -> str:
    """Remove "The passage states that", and move the citation mark to the end."""
    found = _FRAME.match(sentence)
    if found is None or not _flat(sentence[found.end() :]):
        return sentence
    rest = sentence[found.end() :]
    mark = next((found[name].strip() for name in ("mark", "mark_2", "mark_3") if found[name]), "")
    if mark:
        body = rest.rstrip(".")
        rest = f"{body} {mark}{rest[len(body) :]}"
    return capitalised(rest)


def capitalised(text: str) -> str:
    """Capitalise the first letter of a text.

    Names such as mTOR stay as they are.
    """
    return text[:1].upper() + text[1:] if _SMALL_WORD.match(text) else text


def _is_refusal(sentence: str) -> bool:
    return sentence.lstrip("\"'“*_ ").startswith(ABSTENTION.rstrip(".")) or bool(_REFUSAL.match(sentence))


def _flat(text: str) -> str:
    return _NOT_A_WORD.sub(" ", text).casefold().strip()
