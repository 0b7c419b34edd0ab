"""The experiment: RAG and fine-tuning, with and without, on the same questions."""
