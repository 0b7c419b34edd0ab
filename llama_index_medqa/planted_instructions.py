"""Retrieved records that speak to the model instead of reporting something: they are neither shown nor cited.

What a paper says is data. A sentence that gives orders to whoever answers is no finding of a study, and a record that
holds one was tampered with, so that nothing else in it can be trusted either. What a model never sees it cannot obey.
A planted *claim* cannot be told from a finding.
"""

import re
from collections.abc import Sequence

from llama_index_medqa.evidence import Passage

_DROP = r"\b(?:ignore|disregard|forget|override|bypass|do not follow)\b"
_RULES = r"(?:instructions?|prompts?|rules?|directions?|messages?)"
_READER = r"(?:ai|assistants?|chatbots?|language models?|llms?|models?)"
_SAYING = (
    r"(?:say|tell|respond|reply|answer|output|print|write|recommend|state|claim|conclude|cite|repeat|reveal|include|"
    r"mention|translate|summari[sz]e|act|behave|pretend)"
)
_ORDERS = (
    # About other orders.
    rf"{_DROP}.{{0,20}}\b(?:previous|prior|above|earlier|preceding|all|any|your|system|these)\b.{{0,30}}\b{_RULES}\b",
    rf"{_DROP}.{{0,30}}\b{_RULES}\s+(?:above|before|so far)\b",
    rf"{_DROP}.{{0,20}}\b(?:everything|anything|all)\b.{{0,30}}\b(?:above|before|previous|said|told)\b",
    rf"^\W*(?:new|updated|real|actual|hidden|system|following|important) {_RULES}\s*:",
    # To whoever reads.
    r"\byou are (?:now|no longer)\b",
    r"\bas an ai\b",
    rf"\b(?:note|attention|message|instructions?|dear|hello|hey)\b[\s,:]*(?:to|for)?\s*(?:the |any |all )?{_READER}\b",
    r"\b(?:system prompt|jailbreak|prompt injection|developer mode)\b",
    # About the answer.
    rf"^\W*(?:please\s+)?{_SAYING}\s+(?:that|with|to|in|as|only|exactly|nothing|your|the (?:words?|following))\b",
    r"\byour (?:answer|response|reply|output) (?:must|should|shall|has to|is to|needs to)\b",
    rf"\byou (?:must|should|shall|have to|need to|will) (?:now |always |never |only )?{_SAYING}\b",
    # Marks of a conversation, or of markup for models.
    r"<\|?/?(?:im_start|im_end|system|user|assistant|endoftext|eot_id|instructions?|s)\|?>|\[/?INST\]|<<SYS>>",
    r"^\W*(?:system|assistant|user|human|instructions?|passages|question|answer)\s*:",
)
_ORDER = re.compile("|".join(_ORDERS), re.IGNORECASE)


def speaks_to_the_model(sentence: str) -> bool:
    """Whether a sentence gives orders to whoever answers, or imitates the marks of a conversation."""
    return bool(_ORDER.search(sentence))


def records_that_give_orders(passages: Sequence[Passage]) -> list[str]:
    """The ids of the records among the passages that speak to the model, in their title or anywhere else."""
    return list(dict.fromkeys(passage.document_id for passage in passages if _speaks(passage)))


def _speaks(passage: Passage) -> bool:
    return speaks_to_the_model(passage.title) or any(
        sentence.steered or speaks_to_the_model(sentence.text) for sentence in passage.sentences
    )
