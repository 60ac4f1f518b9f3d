"""Whole models as transformers runs them: the real one from its file, random ones from folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments.texts import austen
from primer_ref import llama
from primer_ref.functional import log_softmax
from primer_ref.information import kl_divergence
from primer_ref.model_files import from_safetensors

from .conftest import Compare

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
tokenizers = pytest.importorskip("tokenizers")

CODE = "def area(radius):\n    return 3.14159 * radius**2\n\n\nprint(area(2))\n" * 8
CHAT = "<|im_start|>user\nWhat is 17 + 25?<|im_end|>\n<|im_start|>assistant\n"


def prompts(model: llama.Model) -> list[list[int]]:
    """Prose, code, a conversation, other languages, random tokens; 5 to 2,048 tokens long."""
    encode = model.tokenizer.encode
    texts = [
        "The capital of France is",
        "Der Zug fährt um 7:45 Uhr ab. Το τρένο φεύγει στις 8. 列车八点出发。",
        CODE,
        austen("emma")[10_000:13_000],
    ]
    drawn = np.random.default_rng(0).integers(0, model.config.n_tokens, 256).tolist()
    long = encode(austen("persuasion")[5_000:20_000])[:2048]
    return [*map(encode, texts), encode(CHAT, specials=True), drawn, long]


def test_the_real_model(compare: Compare) -> None:
    path = llama.find_model()
    model = llama.load(path)
    theirs = transformers.AutoModelForCausalLM.from_pretrained(
        path.parent, gguf_file=path.name, dtype=torch.float32, attn_implementation="eager"
    ).eval()
    call = "transformers.AutoModelForCausalLM.from_pretrained, the same GGUF file"
    furthest, same, divergence, n = 0.0, 0, 0.0, 0
    for tokens in prompts(model):
        with torch.inference_mode():
            expected = theirs(torch.tensor([tokens])).logits[0].numpy()
        found = llama.forward(model, tokens)
        for start in range(0, len(tokens), 256):  # a block of the longest text at a time
            ours, other = found[start : start + 256], expected[start : start + 256]
            furthest = max(furthest, float(np.max(np.abs(ours - other))))
            same += int(np.sum(ours.argmax(-1) == other.argmax(-1)))
            q = np.exp(log_softmax(ours.astype(float)))
            p = np.exp(log_softmax(other.astype(float)))
            divergence += float(np.sum([kl_divergence(a, b) for a, b in zip(p, q, strict=True)]))
        n += len(tokens)
    assert n > 3000
    compare(llama.forward, f"{call}: logits, {n:,} positions", [furthest], [0.0], 5e-3)
    compare(llama.forward, f"{call}: share of the same best token", [same / n], [1.0], 1e-3)
    compare(llama.forward, f"{call}: mean divergence in nats", [divergence / n], [0.0], 1e-8)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("rope", ["default", "linear", "llama3"])
def test_a_random_model_in_safetensors(
    compare: Compare, tmp_path: Path, tied: bool, rope: str
) -> None:
    parameters: dict[str, Any] = {"rope_type": rope, "rope_theta": 1000.0}
    if rope != "default":
        parameters["factor"] = 4.0
    if rope == "llama3":
        parameters |= {
            "original_max_position_embeddings": 16,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
        }
    config = transformers.LlamaConfig(
        vocab_size=300,
        hidden_size=48,
        intermediate_size=80,
        num_hidden_layers=3,
        num_attention_heads=6,
        num_key_value_heads=2,
        head_dim=12,
        max_position_embeddings=64,
        rope_parameters=parameters,
        tie_word_embeddings=tied,
        initializer_range=0.3,
    )
    torch.manual_seed(0)
    theirs = transformers.LlamaForCausalLM(config).eval()
    theirs.save_pretrained(tmp_path)
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=299,
        special_tokens=["<end>"],
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Sequence(
        [
            tokenizers.pre_tokenizers.Digits(individual_digits=True),
            tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.train_from_iterator([austen("emma")[:40_000]], trainer)
    tokenizer.save(str(tmp_path / "tokenizer.json"))

    model = llama.load(tmp_path)
    text = "She was 21 years old, naïve — and rich.<end>"
    tokens = tokenizer.encode(text).ids
    assert model.tokenizer.encode(text, specials=True) == tokens
    with torch.inference_mode():
        expected = theirs(torch.tensor([tokens])).logits[0].numpy()
    kind = "tied" if tied else "untied"
    call = f"transformers.LlamaForCausalLM.save_pretrained, random, {kind}, {rope} positions"
    compare(from_safetensors, call, llama.forward(model, tokens), expected, 1e-4)
