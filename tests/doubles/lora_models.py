"""A small model of Mistral's architecture with random weights and LoRA adapters for it, made on the spot.

The weights are drawn wide enough for the likeliest token to lead clearly, so that two correct implementations in
float32 cannot differ in it.
"""

import json
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, processors, trainers

from llama_index_medqa.prompts import GROUNDED_ANSWER
from tests.conftest import RECORDS

SPECIAL = ["<unk>", "<s>", "</s>"]
ALL_PROJECTIONS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def make_tokenizer(folder: Path) -> Any:
    """A BPE of Mistral's kind: spaces as ▁, bytes as a fallback, <s> before every text."""
    from transformers import PreTrainedTokenizerFast

    normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    learner = Tokenizer(models.BPE())
    learner.normalizer = normalizer
    trainer = trainers.BpeTrainer(vocab_size=400, show_progress=False)
    learner.train_from_iterator([record.text for record in RECORDS] * 3, trainer)
    learned = json.loads(learner.to_str())["model"]
    byte_pieces = [f"<0x{byte:02X}>" for byte in range(256)]
    pieces = [*SPECIAL, *byte_pieces, *sorted(learned["vocab"], key=learned["vocab"].get)]
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    merges = [tuple(merge) for merge in learned["merges"]]
    tokenizer = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizer
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer.add_special_tokens([AddedToken(piece, special=True, normalized=False) for piece in SPECIAL])
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>", pad_token="</s>"
    )
    wrapped.save_pretrained(folder)
    return wrapped


def make_mistral(folder: Path, seed: int = 0) -> Path:
    """Two layers of Mistral, 128 wide, with a tokenizer of its kind."""
    import torch
    from transformers import MistralConfig, MistralForCausalLM

    tokenizer = make_tokenizer(folder)
    torch.manual_seed(seed)
    config = MistralConfig(
        vocab_size=len(tokenizer), hidden_size=128, intermediate_size=256, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=1024, sliding_window=None, initializer_range=0.15,
        bos_token_id=1, eos_token_id=2, pad_token_id=2, tie_word_embeddings=False,
    )  # fmt: skip
    model = MistralForCausalLM(config).to(torch.float32)
    # Single bytes and special tokens are never the likeliest: an answer of theirs may be no text.
    model.lm_head.weight.data[: len(SPECIAL) + 256] = 0
    model.save_pretrained(folder)
    return folder


def make_adapter(folder: Path, base: Path, *, seed: int, rank: int = 8, spread: float = 0.05) -> Path:
    """A LoRA adapter on all seven projections; with spread 0 one that changes nothing."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    config = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=ALL_PROJECTIONS, task_type="CAUSAL_LM")
    adapted = get_peft_model(model, config)
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in adapted.named_parameters():
        if "lora_B" in name:
            parameter.data = spread * torch.randn(parameter.shape, generator=generator)
    adapted.save_pretrained(folder)
    return folder


def train_adapter(folder: Path, base: Path, *, steps: int, seed: int = 0) -> list[float]:
    """Trains a LoRA adapter on answers to grounded prompts in the chat format; returns the loss of every step."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.manual_seed(seed)
    tokenizer = AutoTokenizer.from_pretrained(base)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    config = LoraConfig(r=8, lora_alpha=16, target_modules=ALL_PROJECTIONS, task_type="CAUSAL_LM")
    adapted = get_peft_model(model, config).train()
    optimizer = torch.optim.AdamW((p for p in adapted.parameters() if p.requires_grad), lr=1e-3)
    losses = []
    for step in range(steps):
        record = RECORDS[step % len(RECORDS)]
        prompt = GROUNDED_ANSWER.format(context_str=record.text, query_str=record.title)
        turn = [{"role": "user", "content": prompt}]
        text = tokenizer.apply_chat_template(turn, tokenize=False, add_generation_prompt=True)
        asked = tokenizer(text, add_special_tokens=False)["input_ids"]
        answer = tokenizer(f"{record.sections[-1].text} [PMID:{record.pmid}].<|im_end|>")["input_ids"]
        labels = torch.tensor([[-100] * len(asked) + answer])
        loss = adapted(torch.tensor([asked + answer]), labels=labels).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    adapted.save_pretrained(folder)
    return losses
