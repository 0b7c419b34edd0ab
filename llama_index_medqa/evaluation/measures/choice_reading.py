"""Reading which choice of a multiple-choice question an answer takes.

Programs for exams often take the first letter that they find, and "A" where they find none. Here an answer that takes
no choice, or several, is told apart from a wrong one.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

NO_CHOICE = "no choice"
SEVERAL = "several choices"
DIFFERENT = "letter and text differ"

Choices = Mapping[str, str]

_THOUGHTS = re.compile(r"<think(?:ing)?>.*?</think(?:ing)?>", re.DOTALL | re.IGNORECASE)
_BOXED = re.compile(r"\$*\\boxed\{(?:\\text(?:bf)?\{)?([^{}]*)\}*\$*")
_TAGGED = re.compile(r"<(?:final[\s_]?)?answer>(.*?)</(?:final[\s_]?)?answer>", re.DOTALL | re.IGNORECASE)
_MARKUP = re.compile(r"\*\*|__|`+(?:json)?")
_KEYS = (
    "finalanswer answer answerchoice answerletter correctanswer finalchoice choice correctchoice option correctoption "
    "selectedoption selected letter prediction"
).split()
_IS = (
    r"(?:\s+(?:is|was|(?:would|should|must|will|might|may|could)(?:\s+(?:then|therefore|thus))?\s+be|(?:seems|appears)\s+to\s+be)\b"
    r"|[\"']?\s*[:=]|\s+[-–—>]+)"
)
_SURELY = r"(?:\s*(?:most\s+likely|likely|probably|clearly|therefore|thus|definitely|indeed|[,:]))*"
_DECLARED = re.compile(
    rf"\b(?:answer|ans\.?|choice|option|selection|solution)(?:[\s_]+(?:choice|option|letter|to\s+(?:this|the)\s+question))?{_IS}{_SURELY}\s*"
    r"|\banswer\s+(?=[(\[\"']?[A-Z](?![\w-]))"
    r"|\b(?:I|we)\s+(?:would\s+|will\s+)?(?:choose|select|pick|go\s+with|went\s+with|answer|say)\s+"
    r"|\b(?:both|either)\s+",
    re.IGNORECASE,
)
# Said so only where the sentence ends after the letter: "so B." is a choice, "so B cells" is none.
_CONCLUDED = re.compile(r"\b(?:it\s+is|it's|must\s+be|therefore|thus|hence|so)[,:]?\s+", re.IGNORECASE)
_FINAL = re.compile(r"\b(?:final|finally|therefore|thus|hence|so|conclusion|overall)\b[^.!?\n]*\Z", re.IGNORECASE)
_SUPPOSED = re.compile(
    r"\b(?:if|whether|might|may|could|tempting|why|not|isn't|wasn't|never|cannot|can't)\b[^.!?;\n]*\Z", re.IGNORECASE
)
_CALLED_RIGHT = (
    r"(?:\A|[.;:,!?\n]\s*|\b(?i:option|choice|answer|letter|so|thus|therefore|hence|that|think|believe)\s+)"
    r"[(\[\"']*([{letters}])[)\]\"'.:]*\s+(?:is|seems|appears|must\s+be|would\s+be)\s+(?:clearly\s+|likely\s+|therefore\s+)*"
    r"(?:the\s+)?(?:only\s+|most\s+likely\s+)?(?:correct|right|best|answer|most\s+(?:appropriate|likely|accurate))\b"
)
_REJECTED = re.compile(
    r"\W*(?:is|are|was|would\s+be|can\s+be|seems|,)?\s*(?:not|wrong|incorrect|false|unlikely|less|ruled\s+out|excluded|eliminated)\b",
    re.IGNORECASE,
)
_NEGATED = re.compile(
    r"\b(?:not|no|never|neither|nor|except|without|rather\s+than|instead\s+of|unlikely)\b|n't\b", re.I
)
# After a letter these go on with a sentence about it; other small words make it a part of a name ("B cells").
_GOES_ON = frozenset(
    "because since as due given which and or is was has with for that based though although but so where in if from by "
    "to the it on at than rather would not".split()
)
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")
_WORD = re.compile(r"[^\W_]+")
_LABELS = frozenset({"yes", "no", "maybe"})


class ChoiceReading(NamedTuple):
    """The choice that an answer takes.

    Attributes:
        letter: the choice; None where none is taken, or more than one.
        reason: why there is none: ``no choice``, ``several choices`` or ``letter and text differ``; empty where there
            is one.
    """

    letter: str | None
    reason: str = ""


def read_choice(text: str, choices: Choices) -> ChoiceReading:
    """Return the choice that an answer takes.

    Read are a letter alone or with its text, JSON, what is declared to be the answer wherever it stands, and the text
    of a choice. A letter within a word or name ("vitamin B12", "hepatitis B") is none.

    Args:
        text: the answer.
        choices: texts by their letters, which are upper case.
    """
    boxed = _BOXED.findall(text)
    said = _TAGGED.sub(r" answer: \1. ", _BOXED.sub(r" answer: \1. ", _THOUGHTS.sub("", text)))
    plain = _MARKUP.sub("", said).strip()
    reader = _Reader(choices)
    if boxed:
        return reader.one_of(reader.letters_of(boxed[-1]))
    for found in (reader.as_text(plain), reader.in_json(plain), reader.declared(plain), reader.alone(plain)):
        if found is not None:
            return found
    return reader.mentioned(plain) or reader.named(plain) or ChoiceReading(None, NO_CHOICE)


class _Reader:
    def __init__(self, choices: Choices) -> None:
        self._choices = choices
        letters = "".join(choices)
        self._letter = re.compile(
            rf"\s*(?i:the\s+)?(?i:(?:option|choice|letter|answer)\s+)?(?P<open>[(\[\"'“<$]*)(?P<letter>[{letters}{letters.lower()}])"
            rf"(?![\w-]|['’]\w)(?P<close>[)\]\"'”>$]*[.:,)]?)",
        )
        self._next = re.compile(
            rf"\s*(?:,\s*and|,|/|&|and/or|and|or)\s*(?i:option\s+)?[(\[\"']*([{letters}])(?![\w-]|['’]\w)[)\]\"']*"
        )
        self._right = re.compile(_CALLED_RIGHT.replace("{letters}", letters))
        self._left = re.compile(
            rf"\b(?i:option|choice)\s+[(\[\"']*([{letters}])[)\]\"']*,?\s+(?:as\s+)?(?:the\s+)?(?:only\s+)?"
            rf"(?:correct|right|best|most\s+(?:appropriate|likely|accurate))\b"
        )
        self._marked = re.compile(
            rf"\b(?:[Oo]ption|[Cc]hoice|[Aa]nswer)\s+[(\[\"']*([{letters}])(?![\w-]|['’]\w)[)\]\"']*|[(\[]([{letters}])[)\]]"
        )
        self._texts = {letter: _words(choice) for letter, choice in choices.items()}
        self._only_labels = set(self._texts.values()) <= _LABELS

    def one_of(self, letters: Iterable[str]) -> ChoiceReading:
        """Return the only letter of some."""
        distinct = set(letters)
        if len(distinct) == 1:
            return ChoiceReading(distinct.pop())
        return ChoiceReading(None, SEVERAL if distinct else NO_CHOICE)

    def as_text(self, text: str) -> ChoiceReading | None:
        """Read an answer that is, or begins with, the text of a choice."""
        letter = self._starting(re.split(r"[.,;:!\n(]\s", f"{text} ")[0], whole=True) or self._starting(
            text, whole=True
        )
        return ChoiceReading(letter) if letter else None

    def in_json(self, text: str) -> ChoiceReading | None:
        """Read an object, or a list, in JSON."""
        for value in _json_values(text):
            if isinstance(value, list):
                return self._value(value)
            fields = {re.sub(r"[\W_]", "", str(key)).lower(): one for key, one in value.items()}
            key = next((name for name in _KEYS if name in fields), None)
            if key is not None:
                return self._value(fields[key])
            if set(map(str, value)) <= set(self._choices) and all(isinstance(one, bool) for one in value.values()):
                return self.one_of(letter for letter, taken in value.items() if taken)
        return None

    def _value(self, value: Any) -> ChoiceReading:
        if isinstance(value, list):
            read = [self._value(one) for one in value]
            failed = next((one for one in read if one.letter is None), None)
            return failed or self.one_of(one.letter for one in read if one.letter)
        return read_choice(value, self._choices) if isinstance(value, str) else ChoiceReading(None, NO_CHOICE)

    def declared(self, text: str) -> ChoiceReading | None:
        """Read what the answer calls its answer; what it calls so in the end counts before what it did on the way."""
        found: list[tuple[bool, ChoiceReading]] = []
        for match in _DECLARED.finditer(text):
            if not _SUPPOSED.search(text, max(0, match.start() - 60), match.start()):
                taken = self._taken_at(text, match.end())
                if taken:
                    found.append((self._is_final(text, match), taken))
        for match in _CONCLUDED.finditer(text):
            letters, end = self._letters_at(text, match.end())
            if letters and re.match(r"\s*(?:[.!]|\n|\Z)|(?<=[.!])", text[end:]) and not _is_supposed(text, match):
                found.append((True, self.one_of(letters)))
        found += [
            (self._is_final(text, match), ChoiceReading(match[1]))
            for pattern in (self._right, self._left)
            for match in pattern.finditer(text)
            if not _is_supposed(text, match)
        ]
        final = [reading for is_final, reading in found if is_final]
        readings = list(dict.fromkeys(final or [reading for _, reading in found]))
        if len(readings) > 1:
            return ChoiceReading(None, SEVERAL)
        return readings[0] if readings else None

    def _is_final(self, text: str, match: re.Match[str]) -> bool:
        return bool(_FINAL.search(text[max(0, match.start() - 60) : match.end()]))

    def _taken_at(self, text: str, position: int) -> ChoiceReading | None:
        """Read letters, or the text of a choice, at a position."""
        letters, end = self._letters_at(text, position)
        if letters:
            return self._with_text(letters, text[end:])
        named = self._starting(text[position:])
        return ChoiceReading(named) if named else None

    def _with_text(self, letters: list[str], rest: str) -> ChoiceReading:
        reading = self.one_of(letters)
        if reading.letter and (other := self._starting(rest)) not in (None, reading.letter):
            own = self._texts[reading.letter]
            return reading if own and _words(rest).startswith(own) else ChoiceReading(None, DIFFERENT if other else "")
        return reading

    def letters_of(self, text: str) -> list[str]:
        """Return the letters that a short text consists of, or begins with."""
        letters, _ = self._letters_at(text, 0)
        named = self._starting(text)
        return letters or ([named] if named else [])

    def _letters_at(self, text: str, position: int) -> tuple[list[str], int]:
        """Return the letters at a position, and where they end; none where a letter is part of a name."""
        match = self._letter.match(text, position)
        if match is None:
            return [], position
        letters, end = [match["letter"].upper()], match.end()
        is_marked = bool(match["open"] or match["close"])
        # A comma that closes the first letter may also lead to the next.
        following = self._next.match(text, end - match["close"].endswith(","))
        while following:
            letters, end = [*letters, following[1]], following.end()
            following = self._next.match(text, end)
        rest = text[end:]
        if len(letters) == 1 and not self._stands_alone(match, rest, is_marked=is_marked):
            return [], position
        return letters, end

    def _stands_alone(self, match: re.Match[str], rest: str, *, is_marked: bool) -> bool:
        letter = match["letter"]
        is_last = not rest.strip() or bool(re.match(r"\s*(?:\n|[-–—;!?])", rest))
        if letter.islower():
            return is_marked or is_last
        own = self._texts[letter.upper()]
        if letter == "I" and not is_marked and re.match(r"\s+[a-z]", rest):
            return False  # the pronoun, where a question has nine choices or more
        following = re.match(r"\s+([^\W\d_]+)", rest)
        if is_last or following is None or (own and _words(rest).startswith(own)):
            return True
        word = following[1]
        if match["close"][-1:] == "." and not match["open"]:
            # "E. coli" begins like "E. Penicillin".
            return not word.islower() or word in _GOES_ON or bool(set(own.split()) & set(_words(rest).split()[:6]))
        return is_marked or word.lower() in _GOES_ON or word[0].isupper()

    def alone(self, text: str) -> ChoiceReading | None:
        """Read a letter at the beginning, or on the last line, of an answer."""
        if re.fullmatch(rf"[{''.join(self._choices)}]{{2,}}", text):
            return ChoiceReading(None, SEVERAL)
        lines = [line.strip() for line in text.split("\n") if line.strip()]
        heads = list(dict.fromkeys(found[0] for line in lines if (found := self._letters_at(line, 0)[0])))
        if not heads:
            named = None if _NEGATED.search(_SENTENCE_END.split(text)[0]) else self._starting(text)
            return ChoiceReading(named) if named else None
        return self._by_heads(text, lines, heads)

    def _by_heads(self, text: str, lines: list[str], heads: list[str]) -> ChoiceReading | None:
        """Read an answer some of whose lines begin with letters."""
        first, end = self._letters_at(text, 0)
        if first and _REJECTED.match(text, end):
            return None
        # What comes first is the answer, not the first of all choices, where a paragraph ends or another order follows.
        leads = len(heads) == 1 or heads[1] < heads[0] or bool(re.match(r"[^\n]*\n\s*\n", text))
        last, last_end = self._letters_at(lines[-1], 0)
        ends = bool(last) and not lines[-1][last_end:].strip(" .")
        if first and (len(first) > 1 or leads) and not (ends and last != first):
            return self._with_text(first, text[end:])
        if ends and (not first or text[end:].split("\n", maxsplit=1)[0].strip()):
            return self.one_of(last)
        if last and len(heads) == 1:
            return self._with_text(last, lines[-1][last_end:])
        return ChoiceReading(None, SEVERAL) if len(heads) > 1 else None

    def mentioned(self, text: str) -> ChoiceReading | None:
        """Read the only choice that is named by its letter and not rejected."""
        letters = {
            letter
            for match in self._marked.finditer(text)
            if not _REJECTED.match(text, match.end())
            for letter in [match[1] or match[2], *self._letters_at(text, match.start())[0]]
        }
        return self.one_of(letters) if letters else None

    def named(self, text: str) -> ChoiceReading | None:
        """Read the only choice whose text the last sentence holds."""
        sentences = [sentence for sentence in _SENTENCE_END.split(text) if sentence.strip()]
        if not sentences or self._only_labels or _NEGATED.search(sentences[-1]):
            return None
        said = f" {_words(sentences[-1])} "
        held = {letter: words for letter, words in self._texts.items() if len(words) > 1 and f" {words} " in said}
        longest = [
            one for one, words in held.items() if not any(words in other and words != other for other in held.values())
        ]
        return self.one_of(longest) if longest else None

    def _starting(self, text: str, *, whole: bool = False) -> str | None:
        """Return the choice whose text a text begins with, or is; the longest of several."""
        said = _words(text)
        fitting = [
            letter
            for letter, words in self._texts.items()
            if len(words) > 1 and (said == words if whole else f"{said} ".startswith(f"{words} "))
        ]
        if self._only_labels and not whole:
            fitting = [one for one in fitting if re.match(rf"\W*{self._texts[one]}\s*(?:[.,;:!\n(]|\Z)", text, re.I)]
        return max(fitting, key=lambda letter: len(self._texts[letter]), default=None)


def _is_supposed(text: str, match: re.Match[str]) -> bool:
    return bool(_SUPPOSED.search(text[max(0, match.start() - 60) : match.start()]))


def _words(text: str) -> str:
    return " ".join(_WORD.findall(text.casefold()))


def _json_values(text: str) -> Iterator[Any]:
    """Yield the objects of a text, and its list where it begins with one; the last first."""
    decoder = json.JSONDecoder()
    starts = [match.start() for match in re.finditer(r"\{", text)]
    if text.startswith("["):
        starts.append(0)
    for start in reversed(starts):
        try:
            value, _ = decoder.raw_decode(text, start)
        except ValueError:
            continue
        if isinstance(value, dict | list):
            yield value
