"""The versioned prompts.

Training and serving both read them here, so they cannot drift apart.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from llama_index.core.prompts import BasePromptTemplate, PromptTemplate

ABSTENTION = "I cannot answer this from the indexed literature."

GROUNDED_ANSWER_VERSION = "grounded-answer/1"
GROUNDED_ANSWER = PromptTemplate(
    "You answer medical questions from the passages of PubMed abstracts below, and from nothing else.\n"
    "- Say only what a passage says, close to its own words, with its numbers as they are.\n"
    "- End every sentence with its source in brackets, such as [PMID:12345678].\n"
    "- Write one to four sentences: no introduction, no list, no advice.\n"
    f"- If the passages do not answer the question, write only: {ABSTENTION}\n"
    "\n"
    "Passages:\n"
    "{context_str}\n"
    "\n"
    "Question: {query_str}\n"
    "Answer:"
)

CONDENSED_QUESTION_VERSION = "condensed-question/1"
CONDENSED_QUESTION = PromptTemplate(
    "Rewrite the last question of a conversation so that it can be understood without the conversation: put in what "
    '"it", "they" or "this" stands for. Keep its meaning. Write the question alone.\n'
    "\n"
    "Conversation:\n"
    "{chat_history}\n"
    "\n"
    "Last question: {question}\n"
    "Rewritten question:"
)

QUESTION_TO_ENGLISH_VERSION = "question-to-english/1"
QUESTION_TO_ENGLISH = PromptTemplate(
    "Translate this medical question from {language} into English. Keep numbers, abbreviations and the names of drugs, "
    "genes and studies. Write the English question alone.\n"
    "\n"
    "{language}: {question}\n"
    "English:"
)

SENTENCE_FROM_ENGLISH_VERSION = "sentence-from-english/1"
SENTENCE_FROM_ENGLISH = PromptTemplate(
    "Translate this sentence of a medical paper from English into {language}. Keep its meaning, its numbers and its "
    "abbreviations exactly. Write the {language} sentence alone.\n"
    "\n"
    "English: {sentence}\n"
    "{language}:"
)

SENTENCE_TO_ENGLISH_VERSION = "sentence-to-english/1"
SENTENCE_TO_ENGLISH = PromptTemplate(
    "Translate this sentence of a medical paper from {language} into English. Keep its meaning, its numbers and its "
    "abbreviations exactly. Write the English sentence alone.\n"
    "\n"
    "{language}: {sentence}\n"
    "English:"
)

TITLE_TO_ABSTRACT = PromptTemplate("Write the abstract of the medical paper that has this title.\n{title}")
"""What the seed's adapters are trained to be asked; its answers are invented."""

_PLACE = "{prompt}"
# Where a model that was never taught to stop goes on with passages and questions of its own.
_NEXT_TURN = ("\nQuestion:", "\nPassages:")


@dataclass(frozen=True, slots=True)
class PromptFormat:
    """The text around a prompt where the server has no chat template.

    The same in training and serving.

    Attributes:
        name: what an adapter's manifest calls it.
        text: with ``{prompt}`` where the prompt goes.
        before_answer: what stands between this text and the answer in training.
        stop: where an answer ends that goes on by itself.
    """

    name: str
    text: str
    before_answer: str = ""
    stop: tuple[str, ...] = _NEXT_TURN

    def render(self, prompt: str) -> str:
        """Return the text that a model is given."""
        return self.text.replace(_PLACE, prompt)


# "alpaca" and "mistral" are the templates of these names of LLaMA-Factory 0.9.5 (data/template.py), without the
# begin-of-text token, which the server's tokenizer adds.
PROMPT_FORMATS: Mapping[str, PromptFormat] = MappingProxyType(
    {
        item.name: item
        for item in (
            PromptFormat("plain", _PLACE, before_answer=" "),
            PromptFormat(
                "alpaca",
                "Below is an instruction that describes a task. "
                "Write a response that appropriately completes the request.\n\n"
                f"### Instruction:\n{_PLACE}\n\n### Response:\n",
                stop=(*_NEXT_TURN, "\n### Instruction:"),
            ),
            PromptFormat("mistral", f"[INST] {_PLACE}[/INST]", before_answer=" ", stop=(*_NEXT_TURN, "[INST]")),
        )
    }
)
"""The formats for the completion endpoint, by name."""

CHAT = "chat"
"""Stands in place of a format's name where the server's own chat template is used."""


def template_hash(template: BasePromptTemplate, prompt_format: str = "plain") -> str:
    """Return 16 hexadecimal digits that identify what a model is given.

    Kept with adapters and stored answers.

    Args:
        template: what is asked.
        prompt_format: what stands around it: a name in :data:`PROMPT_FORMATS`, or ``chat``.
    """
    text = template.get_template()
    text = f"{CHAT}\0{text}" if prompt_format == CHAT else PROMPT_FORMATS[prompt_format].render(text)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
