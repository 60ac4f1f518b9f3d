"""The decoder and its gradient against transformers' Llama, with the same random weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from primer_ref.autodiff import value_and_grad
from primer_ref.config import Config
from primer_ref.positions import half_to_interleaved, interleaved_to_half
from primer_ref.training import loss
from primer_ref.transformer import Weights, forward, initialize
from primer_ref.trees import tree_leaves, tree_map

from .conftest import Compare

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

CONFIG = Config(
    n_layers=3,
    width=24,
    n_heads=6,
    n_kv_heads=2,
    head_size=4,
    hidden=20,
    n_tokens=31,
    context=64,
    rope_base=500.0,
    eps=1e-6,
)
INNER, KV = 24, 8  # widths of all queries and of all keys


def drawn(dtype: Any) -> Weights:
    rng = np.random.default_rng(7)
    weights: Weights = tree_map(
        lambda w: ((5 if w.ndim == 2 else 1) * w + 0.1 * rng.normal(size=w.shape)).astype(dtype),
        initialize(CONFIG, rng=rng),
    )
    return weights


def to_theirs(weights: Weights) -> dict[str, Any]:
    """Name and arrange arrays like theirs: transposed, heads' coordinates in half-split pairs."""
    made = {"model.embed_tokens.weight": weights.embedding, "model.norm.weight": weights.norm}
    for number, layer in enumerate(weights.layers):
        q, k, v = np.split(layer.qkv, [INNER, INNER + KV], axis=1)
        gate, up = np.split(layer.gate_up, 2, axis=1)
        made |= {
            f"model.layers.{number}.{name}.weight": array
            for name, array in {
                "self_attn.q_proj": interleaved_to_half(q, head_size=4).T,
                "self_attn.k_proj": interleaved_to_half(k, head_size=4).T,
                "self_attn.v_proj": v.T,
                "self_attn.o_proj": layer.output.T,
                "mlp.gate_proj": gate.T,
                "mlp.up_proj": up.T,
                "mlp.down_proj": layer.down.T,
                "input_layernorm": layer.attention_norm,
                "post_attention_layernorm": layer.hidden_norm,
            }.items()
        }
    return {name: torch.tensor(np.ascontiguousarray(array)) for name, array in made.items()}


def to_ours(arrays: dict[str, Any]) -> list[Any]:
    """Arrange their arrays like the leaves of our weights."""
    leaves = [arrays["model.embed_tokens.weight"]]
    for number in range(CONFIG.n_layers):
        part = {
            name.removeprefix(f"model.layers.{number}.").removesuffix(".weight"): array
            for name, array in arrays.items()
            if name.startswith(f"model.layers.{number}.")
        }
        q, k, v, gate, up = (
            part[name].T
            for name in (
                "self_attn.q_proj",
                "self_attn.k_proj",
                "self_attn.v_proj",
                "mlp.gate_proj",
                "mlp.up_proj",
            )
        )
        q, k = (half_to_interleaved(array, head_size=4) for array in (q, k))
        leaves += [
            part["input_layernorm"],
            np.concatenate([q, k, v], axis=1),
            part["self_attn.o_proj"].T,
            part["post_attention_layernorm"],
            np.concatenate([gate, up], axis=1),
            part["mlp.down_proj"].T,
        ]
    return [*leaves, arrays["model.norm.weight"]]


class Turns(torch.nn.Module):  # type: ignore[misc, name-defined]
    """Cosines and sines of the angles, for both halves of a head."""

    def forward(self, x: Any, position_ids: Any) -> tuple[Any, Any]:
        size = CONFIG.head_size
        powers = torch.arange(0, size, 2, dtype=x.dtype) / size
        angles = position_ids[..., None].to(x.dtype) * CONFIG.rope_base**-powers
        both = torch.cat([angles, angles], dim=-1)
        return both.cos(), both.sin()


def keep_double(model: Any) -> None:
    """Put PyTorch's norms and double angles in, where theirs compute in float32 whatever comes."""
    inner = model.model
    inner.rotary_emb = Turns()
    norms = [(inner, "norm")]
    for layer in inner.layers:
        norms += [(layer, "input_layernorm"), (layer, "post_attention_layernorm")]
    for module, name in norms:
        setattr(module, name, torch.nn.RMSNorm(CONFIG.width, CONFIG.eps, dtype=torch.float64))


def llama_like(weights: Weights, dtype: Any) -> Any:
    config = transformers.LlamaConfig(
        vocab_size=CONFIG.n_tokens,
        hidden_size=CONFIG.width,
        intermediate_size=CONFIG.hidden,
        num_hidden_layers=CONFIG.n_layers,
        num_attention_heads=CONFIG.n_heads,
        num_key_value_heads=CONFIG.n_kv_heads,
        head_dim=CONFIG.head_size,
        max_position_embeddings=CONFIG.context,
        rms_norm_eps=CONFIG.eps,
        rope_parameters={"rope_type": "default", "rope_theta": CONFIG.rope_base},
        tie_word_embeddings=True,
        attn_implementation="sdpa",
    )
    model = transformers.LlamaForCausalLM(config).to(dtype)
    if dtype == torch.float64:
        keep_double(model)
    missing = model.load_state_dict(to_theirs(weights), strict=False)
    assert missing.missing_keys in ([], ["lm_head.weight"])
    assert not missing.unexpected_keys
    return model


@pytest.mark.parametrize(("precision", "limit"), [("float32", 1e-5), ("float64", 1e-10)])
def test_logits_loss_and_every_gradient_agree(
    compare: Compare, precision: str, limit: float
) -> None:
    weights = drawn(precision)
    model = llama_like(weights, getattr(torch, precision))
    tokens = np.random.default_rng(1).integers(CONFIG.n_tokens, size=(2, 20))
    logits = forward(CONFIG, weights, tokens[:, :-1])
    value, gradient = value_and_grad(loss)(weights, CONFIG, tokens)
    theirs = model(input_ids=torch.tensor(tokens[:, :-1])).logits
    their_loss = torch.nn.functional.cross_entropy(
        theirs.reshape(-1, CONFIG.n_tokens), torch.tensor(tokens[:, 1:]).reshape(-1)
    )
    their_loss.backward()
    found = {name: p.grad.numpy() for name, p in model.named_parameters()}
    ours = np.concatenate([np.ravel(leaf) for leaf in tree_leaves(gradient)])
    expected = np.concatenate([np.ravel(leaf) for leaf in to_ours(found)])
    assert np.std(logits) > 0.5
    assert np.linalg.norm(expected) > 0.1
    call = f"transformers.LlamaForCausalLM ({precision})"
    compare(forward, call, logits, theirs.detach().numpy(), limit)
    compare(loss, f"{call}, loss", value, their_loss.item(), limit)
    compare(value_and_grad, f"{call}, gradient of every weight", ours, expected, limit)
