"""Reasons for no answer, in words for people."""

from llama_index_medqa.answering.drafting import EXTRACTIVE
from llama_index_medqa.answering.response import Abstention


def explanation(abstained: Abstention | None, drafter: str, *, drafted: int, cut_off: bool, problem: str) -> str:
    """Return why there is no answer; empty where there is one.

    Args:
        abstained: the reason.
        drafter: name of the model that drafts, or ``extractive``.
        drafted: sentences that it drafted to their end.
        cut_off: whether it reached the most tokens that it may write.
        problem: why the question could not be translated, where that is the reason.
    """
    sentences = f"{drafted} sentence{'' if drafted == 1 else 's'}"
    besides = f" What it drafted besides, {sentences}, is left out." if drafted else ""
    reasons: dict[Abstention | None, str] = {
        "language": problem,
        "no_evidence": "No retrieved record speaks of what was asked.",
        "model_declined": f"{drafter} found no answer in what it was shown.{besides}",
        "nothing_supported": f"{drafter} drafted {sentences}, of which none could be verified.",
        "nothing_drafted": _nothing_drafted(drafter, cut_off=cut_off),
    }
    return reasons.get(abstained, "")


def _nothing_drafted(drafter: str, *, cut_off: bool) -> str:
    if drafter == EXTRACTIVE:
        return "No sentence of the retrieved records is near enough to the question to be given as its answer."
    if cut_off:
        return f"{drafter} reached the most tokens that it may write before it had written a sentence of an answer."
    return f"{drafter} drafted no sentence of an answer."
