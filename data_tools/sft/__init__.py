"""Supervised fine-tuning data from PubMed records: ``python -m data_tools sft``."""
