"""Train the book's decoder on five novels by Austen, and try it on the sixth.

Text is read byte by byte. The run saves itself every few steps into ``build/checkpoints``; when it
is started again it goes on from there, bit for bit. Result:

- ``config`` and ``recipe``: sizes of the model and how it was trained; ``parameters``, how many
  numbers were trained; ``alphabet``, the bytes that are its vocabulary.
- ``train_bytes``, ``test_bytes``: sizes of the texts; ``tokens``, how many were predicted in
  training; ``tokens_per_second``, over all steps, without the evaluations.
- ``loss``, ``gradient_norm``, ``rate``: of every step, the loss in bits a byte on its batch.
- ``held_out``: for some steps, ``step`` and ``loss`` on the first bytes of the sixth novel.
- ``test``: loss on the whole sixth novel after the last step, in bits a byte; ``by_position``, the
  loss on it by the number of bytes that could be looked back at, in bits.
- ``samples``: for some steps, 0 being the first weights, ``step`` and ``text``, what the model
  writes after ``prompt`` at temperature ``temperature``.
"""

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments import record
from experiments.texts import NOVELS, austen
from primer_ref import llama
from primer_ref.blocks import gated_width
from primer_ref.checkpoints import load_checkpoint, save_checkpoint
from primer_ref.config import Config
from primer_ref.decoding import sample
from primer_ref.functional import softmax
from primer_ref.losses import token_losses
from primer_ref.tokenizer import BPETokenizer, byte_characters
from primer_ref.training import Recipe, Run, evaluate, start, train
from primer_ref.transformer import forward
from primer_ref.trees import tree_leaves

NAME = "train_austen"
SEED = 6
CHECKPOINTS = Path(__file__).parents[2] / "build" / "checkpoints"
PROMPT = "It is a truth universally acknowledged, that "
TEMPERATURE = 0.8
SAMPLE = 250  # bytes
LOOKS = (0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0)  # shares of the run

CONFIG = Config(
    n_layers=4,
    width=160,
    n_heads=5,
    n_kv_heads=1,
    head_size=32,
    hidden=gated_width(160, multiple_of=64),
    n_tokens=82,
    context=128,
)
RECIPE = Recipe(n_steps=2500, batch=4, length=128, peak=2e-3, warmup=100, floor=2e-4)

Ints = NDArray[np.int64]


def alphabet() -> list[int]:
    """List the bytes that occur in the six novels."""
    return sorted(set("".join(map(austen, NOVELS)).encode()))


def tokenizer(numbers: list[int]) -> BPETokenizer:
    """Make a tokenizer whose tokens are bytes, without merges."""
    table = byte_characters()
    return BPETokenizer([table[number] for number in numbers], [])


def encode(text: str, numbers: list[int]) -> Ints:
    """Turn a text into byte numbers, as the tokenizer does but all at once."""
    places = np.full(256, -1)
    places[numbers] = np.arange(len(numbers))
    return places[np.frombuffer(text.encode(), np.uint8)]


def read_novels(numbers: list[int]) -> tuple[Ints, Ints]:
    """Read the first five novels, joined, and the sixth, as byte numbers."""
    *novels, sixth = map(austen, NOVELS)
    return encode("\n\n".join(novels), numbers), encode(sixth, numbers)


def load_or(path: Path, begun: Run) -> Run:
    """Load the run that is stored, or take the one that was begun; refuse another."""
    run = load_checkpoint(path) if path.exists() else begun
    if (run.config, run.recipe) != (begun.config, begun.recipe):
        raise ValueError(f"another run is stored there; move {path} away")
    return run


def resume(path: Path, config: Config, recipe: Recipe) -> Run:
    """Load the run and cut its log to the steps that were saved, or begin both."""
    run = load_or(path, start(config, recipe, rng=np.random.default_rng(SEED)))
    log = path.with_suffix(".jsonl")
    if not path.exists():
        log.write_text("", encoding="utf-8")
    # A kill leaves lines of steps that were not saved, and maybe half a line.
    lines = log.read_text(encoding="utf-8").splitlines(keepends=True)
    log.write_text("".join(lines[: run.moments.n_steps]), encoding="utf-8")
    return run


def train_on(run: Run, text: Ints, held_out: Ints, path: Path, every: int) -> Run:
    """Train to the end; log every step, save every few, look at the held-out text at some."""
    n_steps, numbers = run.recipe.n_steps, alphabet()
    looks = {round(n_steps * share) for share in LOOKS}
    bar = record.progress(range(run.moments.n_steps, n_steps), NAME)
    with path.with_suffix(".jsonl").open("a", encoding="utf-8") as log:
        for (after, done), _ in zip(train(run, text), bar, strict=True):
            entry = asdict(done)
            if done.step in looks:
                entry["held_out"] = bits(after, held_out)
                entry["sample"] = write(after, numbers)
            log.write(json.dumps(entry) + "\n")
            log.flush()
            if done.step % every == 0 or done.step == n_steps:
                save_checkpoint(path, after)
            run = after
    return run


def write(run: Run, numbers: list[int]) -> str:
    """Let the model go on from the prompt."""
    model = llama.Model(run.config, run.weights, tokenizer(numbers))
    rng = np.random.default_rng(SEED)

    def choose(logits: NDArray[Any]) -> int:
        return int(sample(softmax(logits.astype(np.float64), temperature=TEMPERATURE), rng=rng))

    prompt = model.tokenizer.encode(PROMPT)
    return model.tokenizer.decode(llama.generate(model, prompt, choose, limit=SAMPLE))


def bits(run: Run, tokens: Ints) -> float:
    """Loss of a run on a text, in bits a token."""
    length = run.recipe.length
    return evaluate(run.config, run.weights, tokens, length=length, batch=16) / math.log(2)


def bits_by_position(run: Run, tokens: Ints) -> NDArray[np.float64]:
    """Loss at each place of the windows of a text, in bits."""
    n = run.recipe.length
    rows = np.lib.stride_tricks.sliding_window_view(tokens, n + 1)[::n]
    losses = [
        token_losses(forward(run.config, run.weights, part[:, :-1]), part[:, 1:])
        for part in np.array_split(rows, max(1, len(rows) // 16))
    ]
    mean: NDArray[np.float64] = np.mean(np.concatenate(losses), axis=0, dtype=np.float64)
    return mean / math.log(2)


def measure(
    config: Config = CONFIG,
    recipe: Recipe = RECIPE,
    *,
    folder: Path = CHECKPOINTS,
    every: int = 50,
    n_held_out: int = 32_768,
    n_test: int | None = None,
) -> dict[str, Any]:
    """Train, or go on training, and evaluate.

    Parameters
    ----------
    config : Config
        Sizes of the model.
    recipe : Recipe
        How to train it.
    folder : Path
        Where the run is saved.
    every : int
        Steps between two saves.
    n_held_out : int
        Bytes of the sixth novel that are predicted on the way.
    n_test : int, optional
        Bytes of it that are predicted at the end; all if not given.

    Returns
    -------
    dict
        The fields described above.
    """
    numbers = alphabet()
    text, sixth = read_novels(numbers)
    test = sixth[:n_test]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{NAME}.npz"
    run = resume(path, config, recipe)
    run = train_on(run, text, test[:n_held_out], path, every)

    lines = path.with_suffix(".jsonl").read_text(encoding="utf-8").splitlines()
    entries = [json.loads(line) for line in lines]
    looks = [entry for entry in entries if "held_out" in entry]
    first = start(config, recipe, rng=np.random.default_rng(SEED))
    return {
        "config": asdict(config),
        "recipe": asdict(recipe),
        "parameters": sum(leaf.size for leaf in tree_leaves(run.weights)),
        "alphabet": numbers,
        "train_bytes": len(text),
        "test_bytes": len(test),
        "tokens": entries[-1]["tokens"],
        "tokens_per_second": entries[-1]["tokens"] / sum(entry["seconds"] for entry in entries),
        "loss": [entry["loss"] / math.log(2) for entry in entries],
        "gradient_norm": [entry["gradient_norm"] for entry in entries],
        "rate": [entry["rate"] for entry in entries],
        "held_out": [{"step": look["step"], "loss": look["held_out"]} for look in looks],
        "test": bits(run, test),
        "by_position": bits_by_position(run, test),
        "prompt": PROMPT,
        "temperature": TEMPERATURE,
        "samples": [
            {"step": 0, "text": write(first, numbers)},
            *({"step": look["step"], "text": look["sample"]} for look in looks),
        ],
    }


def main() -> None:
    """Train, measure and store."""
    record.save(NAME, measure(), command="python -m experiments.train_austen", seed=SEED)


if __name__ == "__main__":
    main()
