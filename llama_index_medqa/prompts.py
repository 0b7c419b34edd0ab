"""The versioned texts that models see. Training and serving both read them here, so they cannot drift apart."""

import hashlib

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


def template_hash(template: BasePromptTemplate) -> str:
    """16 hexadecimal digits that change when a template does; kept with an adapter and with a stored answer."""
    return hashlib.sha256(template.get_template().encode()).hexdigest()[:16]
