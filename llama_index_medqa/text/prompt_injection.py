"""Sentences that give orders to a language model instead of reporting something (prompt injection).

Two detectors, each of which finds some that the other misses: :func:`gives_orders` tells from which sentence on a
passage can support no claim, :func:`speaks_to_the_model` which records are withheld as a whole.
"""

import re

# Words to whoever reads, as no abstract has them: an attempt to steer the model.
_SPEAKING = "answer|reply|respond|say|output|print|write|tell|repeat|state|claim|recommend|conclude|insist"
_ADDRESSED = "AI|assistant|chatbot|language model"
_INSTRUCTION = re.compile(
    r"\b(?:ignor\w+|disregard\w*|forget|overrid\w+|bypass)\b.{0,40}\b(?:instructions?|rules|prompts?|"
    r"(?:previous|earlier|above) (?:text|context|evidence|passages?|abstracts?))\b"
    r"|\b(?:system|developer) (?:prompt|message)\b|<\s*/?\s*(?:system|assistant|user|instructions?)\s*>|\[/?INST\]"
    r"|^\W*(?:(?:please|now|always|instead|only|then|simply|just|and)\W+)*"
    rf"(?:{_SPEAKING})\b(?:\s+(?:only|always|instead|exactly))*\s*(?::|(?:to|with|that|the (?:user|reader))\b)"
    r"|\byou (?:must|should|shall|will|have to|are (?:to|required to|instructed to))(?: \w+){0,2} "
    rf"(?:{_SPEAKING}|ignore)\b"
    rf"|\b(?:always|please|now|instead) (?:only )?(?:{_SPEAKING})(?: only)?\s*(?::|(?:that|with)\b)"
    rf"|\byou are (?:now )?(?:an? )?(?:\w+ )?(?:{_ADDRESSED})\b"
    rf"|\b(?:{_ADDRESSED})s?,? (?:must|should|reading this|are instructed)\b"
    rf"|^\W*(?:assistant|system|user|instructions?|note to (?:the )?(?:{_ADDRESSED}|reader))\s*:",
    re.IGNORECASE,
)
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


def gives_orders(sentence: str) -> bool:
    """Whether a sentence tells its reader what to say or which rules to drop ("ignore the instructions …")."""
    return bool(_INSTRUCTION.search(sentence))


def speaks_to_the_model(sentence: str) -> bool:
    """Whether a sentence gives orders to whoever answers, or imitates the marks of a conversation."""
    return bool(_ORDER.search(sentence))
