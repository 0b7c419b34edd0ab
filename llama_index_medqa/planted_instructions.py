"""Retrieved records that speak to the model instead of reporting something: they are neither shown nor cited.

What a paper says is data. A sentence that gives orders to whoever answers is no finding of a study, and a record that
holds one was tampered with, so that nothing else in it can be trusted either. What a model never sees it cannot obey.
A planted *claim* cannot be told from a finding.
"""

import re
from collections.abc import Sequence

from llama_index_medqa.evidence import Passage

_RULES = r"(?:instructions?|prompts?|rules?|directions?|guidelines? above|context above|messages?)"
_READER = r"(?:ai|a\.i\.|assistants?|chatbots?|language models?|llms?|models? (?:reading|answering|processing))"
_PLANTED = re.compile(
    # Orders about earlier orders.
    rf"\b(?:ignore|disregard|forget|override|bypass)\b.{{0,40}}\b(?:previous|prior|above|earlier|preceding|all|your|any|system)\b.{{0,40}}\b{_RULES}\b"
    r"|\b(?:ignore|disregard|forget)\b.{0,20}\b(?:everything|anything|all of the)\b.{0,30}\b(?:above|before|previous|said|told)\b"
    rf"|\b(?:new|updated|real|actual|hidden|system|following) {_RULES}\s*:"
    # A role for whoever reads.
    r"|\byou are (?:now|no longer)\b|\b(?:act|behave|respond|answer) as (?:if you|an?\b)|\bpretend (?:to be|that you)\b|\bas an ai\b"
    rf"|\b(?:note|attention|message|instructions?|dear|hello|hey)\b[\s,:]*(?:to|for)?\s*(?:the |any |all |every )?{_READER}\b"
    # Orders about the answer.
    r"|\b(?:respond|reply|answer|output|print|write|say|state|tell|cite|repeat|reveal|begin|end|start)\b[^.]{0,30}\b(?:only|exactly|verbatim|the following|the user|users?|your (?:answer|response|reply|system)|the (?:reader|question) with|with the words?|the words?|this sentence|this (?:exact|phrase|text))\b"
    r"|\b(?:your|the) (?:answer|response|reply|output) (?:must|should|shall|has to|is to|needs to)\b"
    r"|\byou (?:must|should|shall|have to|need to|will) (?:now |always |never |only )?(?:say|answer|respond|reply|output|write|recommend|tell|cite|state|ignore|claim|include|mention|use)\b"
    r"|\b(?:system prompt|jailbreak|prompt injection|developer mode)\b"
    r"|^\W*(?:please\s+)?(?:say|tell|respond|reply|answer|output|print|write|recommend|state|claim|conclude)\s+(?:that|with|to|in|only|exactly)\b"
    # Marks of a conversation or of markup for models.
    r"|<\|?/?(?:im_start|im_end|system|user|assistant|endoftext|eot_id|instructions?|s)\|?>|\[/?INST\]|<<SYS>>"
    r"|^\W*(?:system|assistant|user|human|instructions?|### ?\w+|passages|question|answer)\s*:",
    re.IGNORECASE,
)


def speaks_to_the_model(sentence: str) -> bool:
    """Whether a sentence gives orders to whoever answers, or imitates the marks of a conversation."""
    return bool(_PLANTED.search(sentence))


def records_that_give_orders(passages: Sequence[Passage]) -> list[str]:
    """The ids of the records among the passages that speak to the model, in their title or anywhere else."""
    return list(dict.fromkeys(passage.document_id for passage in passages if _speaks(passage)))


def _speaks(passage: Passage) -> bool:
    return any(map(speaks_to_the_model, (passage.title, *(sentence.text for sentence in passage.sentences))))
