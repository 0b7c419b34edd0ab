"""LoRA adapters from supervised fine-tuning data, by LLaMA-Factory: ``python -m training run RECIPE``."""
