"""The command line: what it prints, what programs read, how it fails."""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from primer_ref import cli, llama
from primer_ref.budget import Plan, budget
from primer_ref.energy import Interval
from primer_ref.functional import log_softmax
from primer_ref.information import perplexity
from primer_ref.parameters import MODELS
from primer_ref.roofline import DEVICES

TEXT = "The capital of France is Paris. 😀"
SRC = Path(__file__).parents[1] / "src"


@pytest.fixture(autouse=True)
def _one_model(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(llama, "load", lambda: request.getfixturevalue("model"))


def read(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    """Run a command with --json and read what it says."""
    assert cli.main([*words, "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def say(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """Run a command and return what it prints."""
    assert cli.main(words) == 0
    return capsys.readouterr().out


def surprisals(model: llama.Model, text: str) -> list[float]:
    """The definition, token by token, each from a pass of its own."""
    tokens = [model.tokenizer.specials["<|endoftext|>"], *model.tokenizer.encode(text)]
    return [
        -float(log_softmax(llama.forward(model, tokens[:t], last=True))[tokens[t]])
        for t in range(1, len(tokens))
    ]


def test_budget_says_the_same_to_people_and_programs(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("budget", "llama3-8b", "--training-tokens", "15e12", "--grid", "0.1", "0.2")
    found = read(capsys, *words)
    assert found["parameters"]["total"] == 8_030_261_248
    assert found["config"]["n_kv_heads"] == 8
    ratio = found["kg CO2"]["training"]["high"] / found["kWh"]["training"]["high"]
    assert ratio == pytest.approx(0.2)
    text = say(capsys, *words)
    assert "8,030,261,248" in text
    assert "7.23e+23" in text  # 6 N D, in FLOP
    assert {"FLOP", "bytes", "seconds", "kWh", "kg CO2", "dollars"} <= set(text.split("\n"))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.01234, "0.0123"),
        (999, "999"),
        (999.7, "1,000"),
        (1000, "1,000"),
        (999_999, "999,999"),
        (1e6, "1 M"),
        (999.7e6, "1 G"),
        (2.5e9, "2.5 G"),
        (3e12, "3 T"),
        (7.23e15, "7.23 P"),
        (1e18, "1 E"),
        (7.23e23, "7.23e+23"),
        (Interval(1.5, 2e6), "1.5 to 2 M"),
        (math.inf, "inf"),
    ],
)
def test_numbers_are_printed_with_three_digits_to_the_unit_or_with_a_prefix(
    value: float | Interval, text: str
) -> None:
    assert cli._human(value) == text


def test_every_option_of_budget_reaches_the_plan(capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--device=a100-80gb", "--devices=8", "--training-tokens=1e12", "--utilization=0.5"]
    options += ["--prompt=2048", "--batch=16", "--bits=8", "--price=3"]
    options += ["--pue", "1.2", "1.3", "--grid", "0.1", "0.2"]
    plan = Plan(
        DEVICES["a100-80gb"],
        training_tokens=1e12,
        pue=Interval(1.2, 1.3),
        grid=Interval(0.1, 0.2),
        n_devices=8,
        utilization=0.5,
        prompt=2048,
        batch=16,
        bits=8,
        dollars_per_hour=3,
    )
    model = MODELS["llama3-8b"]
    expected = cli._plain(budget(model.config, model.parameters, plan))
    found = read(capsys, "budget", "llama3-8b", *options)
    assert {heading: found[heading] for heading in expected} == expected


def test_budget_of_sizes_from_a_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    sizes = {"n_layers": 12, "width": 768, "n_heads": 12, "n_kv_heads": 12, "head_size": 64}
    sizes |= {"hidden": 3072, "n_tokens": 50257, "context": 1024}
    path = tmp_path / "sizes.json"
    path.write_text(json.dumps(sizes | {"style": "gpt2"}))
    assert read(capsys, "budget", str(path))["parameters"]["total"] == 124_439_808
    path.write_text(json.dumps(sizes))
    llama_like = read(capsys, "budget", str(path))["parameters"]["total"]
    assert llama_like != 124_439_808


@pytest.mark.model
def test_tokens_are_the_tokenizers(capsys: pytest.CaptureFixture[str], model: llama.Model) -> None:
    found = read(capsys, "tokens", TEXT)
    numbers = [token["number"] for token in found["tokens"]]
    assert numbers == model.tokenizer.encode(TEXT)
    assert found["n_bytes"] == len(TEXT.encode())
    assert found["bytes_per_token"] == found["n_bytes"] / len(numbers)
    assert f"{len(numbers)} tokens, {found['n_bytes']} bytes" in say(capsys, "tokens", TEXT)
    marked = read(capsys, "tokens", "<|im_start|>", "--specials")
    assert marked["n_tokens"] == 1


@pytest.mark.model
def test_surprisal_and_perplexity_are_their_definitions(
    capsys: pytest.CaptureFixture[str], model: llama.Model
) -> None:
    expected = surprisals(model, TEXT)
    found = read(capsys, "surprisal", TEXT)
    assert [token["nats"] for token in found["tokens"]] == pytest.approx(expected, abs=1e-4)
    assert found["nats"] == pytest.approx(sum(expected), abs=1e-3)
    total = read(capsys, "perplexity", TEXT)
    assert total["perplexity"] == pytest.approx(perplexity(-np.array(expected)), rel=1e-4)
    assert total["bits_per_byte"] == pytest.approx(
        sum(expected) / math.log(2) / len(TEXT.encode()), rel=1e-4
    )
    assert "nats in" in say(capsys, "surprisal", TEXT)
    assert "bits a byte" in say(capsys, "perplexity", TEXT)
    whole = str(model.config.context)  # the widest window that there is
    assert read(capsys, "perplexity", TEXT, "--context", whole) == total


@pytest.mark.model
def test_windows_leave_less_context_and_score_every_token(
    capsys: pytest.CaptureFixture[str], model: llama.Model
) -> None:
    """With windows of four and strides of one, each token is predicted from the three before it."""
    tokens = [model.tokenizer.specials["<|endoftext|>"], *model.tokenizer.encode(TEXT)]
    expected = [
        -float(log_softmax(llama.forward(model, tokens[max(0, t - 3) : t], last=True))[tokens[t]])
        for t in range(1, len(tokens))
    ]
    found = read(capsys, "perplexity", TEXT, "--context", "4", "--stride", "1")
    assert found["n_tokens"] == len(expected)
    assert found["nats_per_token"] == pytest.approx(np.mean(expected), abs=1e-4)


@pytest.mark.model
def test_a_bar_is_drawn_where_somebody_waits(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert cli.main(["perplexity", "One two three four", "--context", "3", "--stride", "2"]) == 0
    drawn = capsys.readouterr().err.split("\r")
    assert drawn[-1] == f"[{'█' * 30}] 5/5 tokens\n"
    assert drawn[1] == f"[{'█' * 18:30}] 3/5 tokens"


@pytest.mark.model
def test_an_infinite_loss_is_a_word_in_json(
    capsys: pytest.CaptureFixture[str], model: llama.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    only_zero = np.full(model.config.n_tokens, -np.inf)
    only_zero[0] = 0
    monkeypatch.setattr(
        llama, "forward", lambda _, tokens, __: np.tile(only_zero, (len(tokens), 1))
    )
    assert read(capsys, "perplexity", "Paris")["perplexity"] == "inf"


@pytest.mark.model
def test_a_model_without_the_mark_is_told(
    capsys: pytest.CaptureFixture[str], model: llama.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model.tokenizer, "specials", {})
    assert cli.main(["perplexity", "Paris"]) == 1
    assert "must know the mark '<|endoftext|>'" in capsys.readouterr().err


@pytest.mark.model
def test_colors_only_where_somebody_sees_them(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[" not in say(capsys, "surprisal", "Paris")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert "\x1b[48;5;" in say(capsys, "surprisal", "Paris")
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in say(capsys, "surprisal", "Paris")


@pytest.mark.model
def test_generation_is_greedy_or_repeats_with_its_seed(
    capsys: pytest.CaptureFixture[str], model: llama.Model
) -> None:
    prompt = "The capital of France is"
    found = read(capsys, "generate", prompt, "--limit", "3")
    start = model.tokenizer.encode(prompt)
    greedy = list(llama.generate(model, start, lambda z: int(np.argmax(z)), limit=3))
    assert found["tokens"] == greedy
    assert found["text"].startswith(" Paris")
    assert read(capsys, "generate", prompt, "--limit", "1")["tokens"] == greedy[:1]
    assert say(capsys, "generate", prompt, "--limit", "3") == f"{prompt}{found['text']}\n"
    drawn = ("generate", prompt, "--limit", "8", "--temperature", "1.5", "--seed")
    first, again, other = (read(capsys, *drawn, seed)["tokens"] for seed in ("1", "1", "2"))
    assert first == again != other
    for cut in (("--top-k", "1"), ("--top-p", "0.01"), ("--min-p", "1")):
        assert read(capsys, *drawn, "5", *cut)["tokens"][:3] == greedy


@pytest.mark.model
def test_characters_spread_over_tokens_are_printed_whole(
    capsys: pytest.CaptureFixture[str], model: llama.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = model.tokenizer.encode("😀é")
    assert len(tokens) > 2
    monkeypatch.setattr(llama, "generate", lambda *_, **__: iter(tokens))
    assert say(capsys, "generate", "Look: ") == "Look: 😀é\n"


@pytest.mark.model
def test_text_comes_from_files_and_standard_input_too(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "text.txt"
    path.write_text(TEXT, encoding="utf-8")
    expected = read(capsys, "tokens", TEXT)
    assert read(capsys, "tokens", "--file", str(path)) == expected
    with path.open(encoding="utf-8") as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        assert read(capsys, "tokens", "--file", "-") == expected


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("budget", "gpt5"), "a model must be one of gpt2, .* got 'gpt5'"),
        (("budget", "none.json"), "No such file"),
        (("budget", "llama3-8b", "--pue", "2", "1"), "bounds must be in order"),
        (("budget", "llama3-8b", "--utilization", "1.5"), "utilization must be a share"),
        (("budget", "llama3-8b", "--devices", "0"), "must be positive"),
        (("tokens",), "a text must be given"),
        (("tokens", "a", "--file", "b"), "a text must be given once"),
        (("tokens", ""), "at least one character"),
        (("tokens", "--file", "."), "directory"),
        (("generate", "a", "--top-p", "0.9"), "nothing is drawn at temperature 0; got top-p 0.9"),
        (("generate", "a", "--top-k", "-1"), "nothing is drawn at temperature 0; got top-k -1"),
        (("generate", "a", "--seed", "-1"), "seed must not be negative; got -1"),
        (("budget", "llama3-8b", "--bits", "inf"), "bits must be positive and finite; got inf"),
        (("budget", "llama3-8b", "--price", "1e999"), "hour must be positive and finite; got inf"),
        (("budget", "llama3-8b", "--training-tokens", "inf"), "tokens must be positive and finite"),
        (
            ("budget", "llama3-8b", "--bits", "1e308"),
            "must stay finite; .*division by zero",
        ),
        *(
            pytest.param(words, message, marks=pytest.mark.model)
            for words, message in (
                (("tokens", "a\udcffb"), r"a text must be valid Unicode; got '\\udcff'"),
                (
                    ("perplexity", "a", "--context", "4", "--stride", "4"),
                    "stride from 1 to context − 1",
                ),
                (("perplexity", "a", "--context", "10000"), "context must be at most 8192"),
                (("generate", "a", "--limit", "0"), "limit must be at least 1"),
                (("generate", "a", "--limit", "9000"), "fit the context"),
                (("generate", "a", "--temperature", "-1"), "temperature must be positive"),
                (("generate", "a", "--temperature", "1", "--top-p", "2"), "mass must be"),
            )
        ),
    ],
)
def test_bad_input_is_one_line_and_status_one(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], message: str
) -> None:
    assert cli.main(words) == 1
    said = capsys.readouterr()
    assert said.err.count("\n") == 1
    assert re.search(message, said.err)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ("[]", "must be a JSON object; got list"),
        ("{", "Expecting"),
        ('{"layers": 3}', "one too many or too few: 'layers'"),
        ('{"n_layers": 3}', "one too many or too few: 'width'"),
        ("[" * 100_000, "must be JSON in UTF-8"),
        ('{"n_layers": 3, "n_layers": 4}', "must be unique; got 'n_layers' twice"),
    ],
)
def test_a_bad_file_of_sizes(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, sizes: str, message: str
) -> None:
    path = tmp_path / "sizes.json"
    path.write_text(sizes)
    assert cli.main(["budget", str(path)]) == 1
    assert message in capsys.readouterr().err


def test_a_style_that_is_none(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    sizes = {"n_layers": 1, "width": 8, "n_heads": 2, "n_kv_heads": 2, "head_size": 4}
    path = tmp_path / "sizes.json"
    path.write_text(json.dumps(sizes | {"hidden": 8, "n_tokens": 9, "context": 9, "style": "x"}))
    assert cli.main(["budget", str(path)]) == 1
    assert "style must be 'llama' or 'gpt2'; got 'x'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width": 8.5}, "width must be a whole number; got 8.5"),
        ({"width": "8"}, "width must be a whole number; got '8'"),
        ({"width": True}, "width must be a whole number; got True"),
        ({"width": 10**400}, "numbers must stay finite; int too large"),
        ({"eps": math.inf}, "eps must be positive and finite; got inf"),
        ({"eps": None}, "eps must be a number; got None"),
        ({"tied": "no"}, "tied must be true or false; got 'no'"),
        ({"tied": False, "style": "gpt2"}, "tied must be true with style 'gpt2'"),
    ],
)
def test_sizes_of_another_type(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    sizes = {"n_layers": 1, "width": 8, "n_heads": 2, "n_kv_heads": 2, "head_size": 4}
    path = tmp_path / "sizes.json"
    path.write_text(json.dumps(sizes | {"hidden": 8, "n_tokens": 9, "context": 9} | change))
    assert cli.main(["budget", str(path)]) == 1
    assert message in capsys.readouterr().err


def test_an_infinite_bound_is_a_word_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    found = read(capsys, "budget", "llama3-8b", "--grid", "1", "1e308")
    assert found["kg CO2"]["training"]["high"] == "inf"


@pytest.mark.model
def test_ends_of_lines_are_kept(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_bytes(b"a\r\nb\rc\n")
    found = read(capsys, "tokens", "--file", str(path))
    assert found["n_bytes"] == 7
    assert "".join(token["text"] for token in found["tokens"]) == "a\r\nb\rc\n"


@pytest.mark.model
@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_what_an_encoding_lacks_is_printed_as_an_escape(encoding: str) -> None:
    environment = os.environ | {"PYTHONPATH": str(SRC), "PYTHONIOENCODING": encoding}
    command = [sys.executable, "-m", "primer_ref"]

    def printed(*words: str) -> str:
        done = subprocess.run([*command, *words], check=True, capture_output=True, env=environment)
        return done.stdout.decode(encoding)

    assert r"\u2587" in printed("surprisal", "A")
    assert json.loads(printed("tokens", "naïve", "--json"))["tokens"][1]["text"] == "ïve"


@pytest.mark.skipif(os.name == "nt", reason="a shell's way to close a stream")
@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("budget gpt2 >&-", "standard output must be open"),
        ("budget gpt2 --json >&-", "standard output must be open"),
        ("tokens --file - <&-", "standard input must be open"),
    ],
)
def test_a_closed_stream_is_one_line(words: str, message: str) -> None:
    done = subprocess.run(
        ["sh", "-c", f'exec "{sys.executable}" -m primer_ref {words}'],
        check=False,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(SRC)},
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    assert message in done.stderr


@pytest.mark.parametrize("words", [(), ("sing",), ("tokens", "--loud"), ("budget",)])
def test_a_wrong_command_line_is_status_two(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        cli.main(words)
    assert stopped.value.code == 2
    assert "usage: python -m primer_ref" in capsys.readouterr().err


def test_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("budget", "tokens", "surprisal", "perplexity", "generate"):
        with pytest.raises(SystemExit) as stopped:
            cli.main([command, "--help"])
        assert stopped.value.code == 0
        assert f"  python -m primer_ref {command} " in capsys.readouterr().out


def test_without_a_model_one_line_says_how_to_get_one(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> llama.Model:
        raise FileNotFoundError("no model found: run `pip install …`")

    monkeypatch.setattr(llama, "load", missing)
    assert cli.main(["tokens", "a"]) == 1
    assert capsys.readouterr().err == "primer_ref: no model found: run `pip install …`\n"


def test_an_interruption_is_status_130(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted() -> llama.Model:
        raise KeyboardInterrupt

    monkeypatch.setattr(llama, "load", interrupted)
    assert cli.main(["tokens", "a"]) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_an_interruption_while_modules_are_read_is_status_130_too(tmp_path: Path) -> None:
    (tmp_path / "numpy.py").write_text("raise KeyboardInterrupt")
    done = subprocess.run(
        [sys.executable, "-m", "primer_ref", "budget", "gpt2"],
        check=False,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join((str(tmp_path), str(SRC)))},
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "interrupted\n")


def test_a_reader_that_leaves_is_no_error() -> None:
    command = [sys.executable, "-m", "primer_ref", "budget", "gpt2"]
    environment = os.environ | {"PYTHONPATH": str(SRC)}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.wait() == 1
        assert process.stderr.read() == b""
