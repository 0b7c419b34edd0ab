"""Abstracts with headings in the text, divided into sections."""

import re

from llama_index_medqa.pubmed.record import AbstractSection

# The headings that journals use most. An abstract is only divided where it begins with one of them.
_HEADINGS = (
    "AIM|AIMS|AIMS AND OBJECTIVES|BACKGROUND|BACKGROUND AND AIMS|BACKGROUND AND OBJECTIVES|BACKGROUND AND PURPOSE|"
    "BACKGROUND/AIMS|BACKGROUND/OBJECTIVES|CASE PRESENTATION|CASE REPORT|CLINICAL RELEVANCE|CONCLUSION|CONCLUSIONS|"
    "CONCLUSIONS AND RELEVANCE|CONTEXT|DATA SOURCES|DESIGN|DESIGN AND METHODS|DISCUSSION|EXPOSURES|FINDINGS|FUNDING|"
    "IMPORTANCE|INTERPRETATION|INTERVENTION|INTERVENTIONS|INTRODUCTION|LIMITATIONS|MAIN OUTCOME MEASURE|"
    "MAIN OUTCOME MEASURES|MAIN RESULTS|MATERIAL AND METHODS|MATERIALS AND METHODS|MEASUREMENTS|METHOD|METHODOLOGY|"
    "METHODS|METHODS AND FINDINGS|METHODS AND RESULTS|OBJECTIVE|OBJECTIVES|OUTCOMES|PARTICIPANTS|PATIENTS|"
    "PATIENTS AND METHODS|PRIMARY FUNDING SOURCE|PURPOSE|PURPOSE OF REVIEW|RATIONALE|RECENT FINDINGS|RESULTS|"
    "SEARCH METHODS|SELECTION CRITERIA|SETTING|SIGNIFICANCE|STUDY DESIGN|SUBJECTS|SUMMARY|TRIAL REGISTRATION"
)
_HEADING = re.compile(rf"(?:^|(?<=[.?!)\]] ))({_HEADINGS}): ")


def divided_at_headings(abstract: str) -> tuple[AbstractSection, ...]:
    """Divide an abstract at its headings.

    It is divided where it begins with a common heading in capitals, else returned as one section.
    """
    if not _HEADING.match(abstract):
        return (AbstractSection(abstract),) if abstract else ()
    _, *parts = _HEADING.split(abstract)
    sections = (AbstractSection(text.strip(), label) for label, text in zip(parts[::2], parts[1::2], strict=True))
    return tuple(section for section in sections if section.text)
