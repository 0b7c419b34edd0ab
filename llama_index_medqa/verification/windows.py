"""Windows: the sentences of a passage that a claim is verified against.

Few enough for a small model, enough to decide.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from llama_index_medqa.text.headings import without_heading
from llama_index_medqa.text.term_weights import idf_sum, terms
from llama_index_medqa.text.titles import title_states_finding
from llama_index_medqa.verification.passages import EvidenceSentence, Passage
from llama_index_medqa.verification.rhetorical_roles import reports_no_result

# The verifier was trained on windows of up to 90 words beside the title.
MOST_WORDS = 90
# A passage that is hardly longer is read whole.
WHOLE_WORDS = 110
MOST_WINDOWS = 3
# Of all passages together.
MOST_WINDOWS_OF_A_CLAIM = 8
# A sentence that adds less of a claim's words than this, each weighed by its rarity, adds nothing to read.
_LEAST_GAIN = 0.04
# A passage that holds less of a claim's words than this is not read.
_LEAST_OVERLAP = 0.15


@dataclass(frozen=True)
class Window:
    """Some sentences of one passage, in their order.

    Attributes:
        passage: where they stand.
        sentences: one or more.
    """

    passage: Passage
    sentences: tuple[EvidenceSentence, ...]

    @property
    def text(self) -> str:
        """Return the sentences without the title."""
        return " ".join(sentence.text for sentence in self.sentences)

    @property
    def premise(self) -> str:
        """Return the title and the sentences, as the entailment model reads them."""
        title = self.passage.title.rstrip(".")
        return f"{title}. {self.text}" if title else self.text

    @property
    def context(self) -> str:
        """Return the title, the sentences, and their neighbours."""
        everything = self.passage.sentences
        positions = [everything.index(sentence) for sentence in self.sentences]
        near = sorted({position + step for position in positions for step in (-1, 0, 1)} & set(range(len(everything))))
        return " ".join(
            [self.passage.title, *(everything[position].text for position in near if not everything[position].steered)]
        )


def windows_of(claim: str, passage: Passage) -> list[Window]:
    """Return the windows of a passage that may decide a claim.

    None where it is about other things.

    The first holds the sentences that cover most of the claim's words; the others the nearest sentences with those
    around them, so that "it" and "the drug" are resolved.

    Args:
        claim: without citation marks.
        passage: a stretch of a record.
    """
    stating = [sentence for sentence in passage.sentences if sentence.states_something]
    wanted = terms(claim)
    total = idf_sum(wanted)
    if not (stating and total):
        return []
    held = {sentence: wanted & terms(sentence.text) for sentence in stating}
    in_title = wanted & terms(passage.title)
    if idf_sum(frozenset[str]().union(in_title, *held.values())) < _LEAST_OVERLAP * total:
        return []
    if sum(len(sentence.text.split()) for sentence in stating) <= WHOLE_WORDS:
        return [Window(passage, tuple(stating))]
    ranked = sorted(stating, key=lambda sentence: -idf_sum(held[sentence]))
    chosen = [_covering(ranked[0], stating, held, in_title, total)]
    read: set[EvidenceSentence] = set()
    while len(chosen) < MOST_WINDOWS and (unread := [sentence for sentence in ranked if sentence not in read]):
        chosen.append(_around(unread[0], stating))
        read.update(chosen[-1])
    return [Window(passage, sentences) for sentences in dict.fromkeys(chosen)]


def windows_of_all(claim: str, passages: Sequence[Passage], cited: Collection[str] = ()) -> list[Window]:
    """Return the windows of all passages that may decide a claim.

    The first of each near passage, then the others, nearest first.

    Args:
        claim: without citation marks.
        passages: the evidence.
        cited: documents that the claim names; their passages come before all others.
    """
    wanted = terms(claim)

    def nearness(window: Window) -> tuple[bool, float]:
        return window.passage.document_id in cited, idf_sum(wanted & terms(window.premise))

    found = [windows_of(claim, passage) for passage in passages]
    first = sorted((windows[0] for windows in found if windows), key=nearness, reverse=True)
    others = sorted((window for windows in found for window in windows[1:]), key=nearness, reverse=True)
    return [*first, *others][:MOST_WINDOWS_OF_A_CLAIM]


def copied_window(claim: str, passage: Passage) -> Window | None:
    """Return the sentence of a passage that repeats a claim.

    None where no sentence has the same words.
    """
    wanted = _plain(claim)
    for sentence in passage.sentences:
        if sentence.states_something and sentence.complete and _plain(sentence.text) == wanted:
            return Window(passage, (sentence,))
    return None


def title_window(passage: Passage) -> Window | None:
    """Return the title of a passage as a window.

    None where the passage begins after it, where it asks or orders something, or where it only names a topic.
    """
    title = tuple(sentence for sentence in passage.sentences if sentence.in_title)
    if not title or any(sentence.steered or reports_no_result(sentence.text) for sentence in title):
        return None
    window = Window(passage, title)
    return window if title_states_finding(window.text) else None


def _plain(text: str) -> str:
    return " ".join(without_heading(text).split()).rstrip(".").casefold()


def _covering(
    nearest: EvidenceSentence,
    stating: Sequence[EvidenceSentence],
    held: dict[EvidenceSentence, frozenset[str]],
    in_title: frozenset[str],
    total: float,
) -> tuple[EvidenceSentence, ...]:
    """Return the sentences that together hold most of the claim's words."""
    chosen, there = [nearest], held[nearest] | in_title
    words = len(nearest.text.split())
    while True:
        fitting = [
            sentence
            for sentence in stating
            if sentence not in chosen and words + len(sentence.text.split()) <= MOST_WORDS
        ]
        if not fitting:
            break
        # The one that adds most; of equals the one that is nearest to the claim.
        best = max(fitting, key=lambda sentence: (idf_sum(held[sentence] - there), idf_sum(held[sentence])))
        if idf_sum(held[best] - there) < _LEAST_GAIN * total:
            break
        chosen.append(best)
        there |= held[best]
        words += len(best.text.split())
    return tuple(sorted(chosen, key=lambda sentence: sentence.start))


def _around(nearest: EvidenceSentence, stating: Sequence[EvidenceSentence]) -> tuple[EvidenceSentence, ...]:
    """Return the nearest sentence and its neighbours, as far as there is room.

    The one before it comes first, then the one after it.
    """
    position, chosen = stating.index(nearest), [nearest]
    words = len(nearest.text.split())
    for other in (position - 1, position + 1, position - 2):
        if 0 <= other < len(stating) and words + len(stating[other].text.split()) <= MOST_WORDS:
            chosen.append(stating[other])
            words += len(stating[other].text.split())
    return tuple(sorted(chosen, key=lambda sentence: sentence.start))
