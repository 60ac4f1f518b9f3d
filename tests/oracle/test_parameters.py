"""Parameter counts against transformers, which allocates the models without their storage."""

from typing import Any

import numpy as np
import pytest

from primer_ref.parameters import MODELS, gpt_parameters, llama_parameters

from .conftest import Compare

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")


def sizes_by_part(model: Any, parts: dict[str, str]) -> list[int]:
    """Add up the parameters whose names hold each of the keys; a shared one has one name."""
    counts = dict.fromkeys(parts, 0)
    for name, tensor in model.named_parameters():
        (part,) = [part for part, mark in parts.items() if mark in name]
        counts[part] += tensor.numel()
    return list(counts.values())


@pytest.mark.parametrize("name", ["gpt2", "gpt2-medium", "gpt2-large", "gpt2-xl", "gpt3-175b"])
def test_gpt_counts_agree_with_transformers(compare: Compare, name: str) -> None:
    config, count = MODELS[name].config, MODELS[name].parameters
    with torch.device("meta"):
        theirs = transformers.GPT2LMHeadModel(
            transformers.GPT2Config(
                n_layer=config.n_layers,
                n_embd=config.width,
                n_head=config.n_heads,
                vocab_size=config.n_tokens,
                n_positions=config.context,
            )
        )
    parts = {"token": "wte", "position": "wpe", "attention": "attn", "hidden": "mlp", "norm": "ln"}
    by_part = sizes_by_part(theirs, parts)
    assert by_part[:2] == [count.token_embedding, count.position_embedding]
    assert sum(by_part[2:]) == count.non_embedding
    compare(gpt_parameters, "transformers.GPT2LMHeadModel", count.total, sum(by_part), 0.0)


@pytest.mark.parametrize(
    "name", [name for name in MODELS if name.startswith(("llama", "mistral", "smollm"))]
)
def test_llama_counts_agree_with_transformers(compare: Compare, name: str) -> None:
    config, count = MODELS[name].config, MODELS[name].parameters
    with torch.device("meta"):
        theirs = transformers.LlamaForCausalLM(
            transformers.LlamaConfig(
                num_hidden_layers=config.n_layers,
                hidden_size=config.width,
                num_attention_heads=config.n_heads,
                num_key_value_heads=config.n_kv_heads,
                head_dim=config.head_size,
                intermediate_size=config.hidden,
                vocab_size=config.n_tokens,
                max_position_embeddings=config.context,
                tie_word_embeddings=not count.head,
            )
        )
    parts = {
        "token": "embed_tokens",
        "attention": "self_attn",
        "hidden": "mlp",
        "norm": "norm",
        "head": "lm_head",
    }
    ours = [count.token_embedding, count.attention, count.feed_forward, count.gains, count.head]
    by_part = sizes_by_part(theirs, parts)
    np.testing.assert_array_equal(ours, by_part)
    compare(llama_parameters, "transformers.LlamaForCausalLM", count.total, sum(by_part), 0.0)
