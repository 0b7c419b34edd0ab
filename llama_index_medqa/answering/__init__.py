"""From a question and evidence to an answer: what is asked for, and the short answer that verified sentences hold."""
