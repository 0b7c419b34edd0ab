"""Training of LoRA adapters by LLaMA-Factory: ``python -m training run RECIPE``."""
