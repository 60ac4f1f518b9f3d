"""Parameter counts: against lists of shapes, and to the unit against published models."""

import math
from dataclasses import replace

import pytest

from primer_ref.config import Config
from primer_ref.parameters import MODELS, ParameterCount, gpt_parameters, llama_parameters

SMALL = Config(
    n_layers=3, width=10, n_heads=4, n_kv_heads=2, head_size=6, hidden=26, n_tokens=37, context=19
)

Shapes = dict[str, list[tuple[int, ...]]]


def gpt_shapes(c: Config) -> Shapes:
    """Write down every array of a GPT-2, as an initializer would allocate it."""
    inner, kv = c.n_heads * c.head_size, c.n_kv_heads * c.head_size
    each: Shapes = {
        "gains": [(c.width,), (c.width,)],
        "biases": [(inner + 2 * kv,), (c.width,), (c.hidden,), *[(c.width,)] * 3],
        "attention": [(c.width, inner + 2 * kv), (inner, c.width)],
        "feed_forward": [(c.width, c.hidden), (c.hidden, c.width)],
    }
    ends: Shapes = {
        "gains": [(c.width,)],
        "biases": [(c.width,)],
        "token_embedding": [(c.n_tokens, c.width)],
        "position_embedding": [(c.context, c.width)],
    }
    return {part: c.n_layers * each.get(part, []) + ends.get(part, []) for part in each | ends}


def llama_shapes(c: Config) -> Shapes:
    """Write down every array of a Llama with a head of its own."""
    inner, kv = c.n_heads * c.head_size, c.n_kv_heads * c.head_size
    each: Shapes = {
        "gains": [(c.width,), (c.width,)],
        "attention": [(c.width, inner), (c.width, kv), (c.width, kv), (inner, c.width)],
        "feed_forward": [(c.width, c.hidden), (c.width, c.hidden), (c.hidden, c.width)],
    }
    ends: Shapes = {
        "gains": [(c.width,)],
        "token_embedding": [(c.n_tokens, c.width)],
        "head": [(c.width, c.n_tokens)],
    }
    return {part: c.n_layers * each.get(part, []) + ends.get(part, []) for part in each | ends}


def check(count: ParameterCount, shapes: Shapes) -> None:
    for part in ParameterCount.__dataclass_fields__:
        assert getattr(count, part) == sum(map(math.prod, shapes.get(part, []))), part
    assert count.total == sum(math.prod(shape) for part in shapes.values() for shape in part)


@pytest.mark.equation("eq-gpt-parameters")
@pytest.mark.equation("eq-llama-parameters")
def test_a_count_adds_up_every_array() -> None:
    check(gpt_parameters(SMALL), gpt_shapes(SMALL))
    check(llama_parameters(SMALL, tied=False), llama_shapes(SMALL))
    tied = llama_shapes(SMALL)
    del tied["head"]
    check(llama_parameters(SMALL, tied=True), tied)


def test_a_shared_table_counts_once_but_scores_all_tokens() -> None:
    tied, free = (llama_parameters(SMALL, tied=t) for t in (True, False))
    assert free.total - tied.total == 37 * 10
    assert tied.scores == free.scores == gpt_parameters(SMALL).scores == 37 * 10
    assert tied.non_embedding == free.non_embedding


@pytest.mark.parametrize(
    ("name", "published"),
    [
        ("gpt2", 124_439_808),
        ("gpt2-medium", 354_823_168),
        ("gpt2-large", 774_030_080),
        ("gpt2-xl", 1_557_611_200),
        ("llama2-7b", 6_738_415_616),
        ("llama2-13b", 13_015_864_320),
        ("llama2-70b", 68_976_648_192),
        ("llama3-8b", 8_030_261_248),
        ("llama3-70b", 70_553_706_496),
        ("llama3-405b", 405_853_388_800),
        ("mistral-7b", 7_241_732_096),
        ("smollm2-135m", 134_515_008),
    ],
)
def test_published_counts_to_the_unit(name: str, published: int) -> None:
    assert MODELS[name].parameters.total == published


def test_other_sizes_of_smollm2() -> None:
    small = MODELS["smollm2-135m"].config
    shapes = {361_821_120: (32, 960, 15, 5, 2560), 1_711_376_384: (24, 2048, 32, 32, 8192)}
    for published, (layers, width, heads, kv, hidden) in shapes.items():
        config = replace(
            small, n_layers=layers, width=width, n_heads=heads, n_kv_heads=kv, hidden=hidden
        )
        assert llama_parameters(config, tied=True).total == published


def gpt(layers: int, width: int, n_tokens: int, context: int) -> ParameterCount:
    heads = width // 64
    return gpt_parameters(
        Config(
            n_layers=layers,
            width=width,
            n_heads=heads,
            n_kv_heads=heads,
            head_size=64,
            hidden=4 * width,
            n_tokens=n_tokens,
            context=context,
        )
    )


def test_the_closed_form_of_gpt2() -> None:
    for layers, width in [(12, 768), (24, 1024), (36, 1280), (48, 1600)]:
        expected = 50257 * width + 1024 * width + layers * (12 * width**2 + 13 * width) + 2 * width
        assert gpt(layers, width, 50257, 1024).total == expected


def test_other_conventions_for_gpt2() -> None:
    count = MODELS["gpt2"].parameters
    # Karpathy, nanoGPT: without biases, and (in another notebook) without positions.
    assert count.total - count.biases == 124_337_664
    assert count.total - count.position_embedding == 123_653_376


def test_gpt3_as_printed() -> None:
    # Brown et al. 2020, tables 2.1 and D.1; the row of 13 B is left out, its width is misprinted.
    printed = {125: (12, 768), 356: (24, 1024), 760: (24, 1536), 1320: (24, 2048)}
    printed |= {2650: (32, 2560), 6660: (32, 4096), 174600: (96, 12288)}
    for millions, (layers, width) in printed.items():
        assert gpt(layers, width, 50257, 2048).total / 1e6 == pytest.approx(millions, rel=4e-3)
    assert MODELS["gpt3-175b"].parameters == gpt(96, 12288, 50257, 2048)


def test_pythia_without_both_ends() -> None:
    # Biderman et al. 2023, table 1. Vocabulary and context do not count there.
    layers = [6, 12, 24, 16, 24, 32, 32, 36]
    widths = [512, 768, 1024, 2048, 2048, 2560, 4096, 5120]
    assert [gpt(*shape, 1, 1).non_embedding for shape in zip(layers, widths, strict=True)] == [
        18_915_328,
        85_056_000,
        302_311_424,
        805_736_448,
        1_208_602_624,
        2_517_652_480,
        6_444_163_072,
        11_327_027_200,
    ]


def test_megatron_as_printed() -> None:
    # Narayanan et al. 2021, table 1. Their formula has no final norm: below the printed digits.
    printed = {1.7: (24, 2304), 3.6: (30, 3072), 7.5: (36, 4096), 18.4: (40, 6144)}
    printed |= {39.1: (48, 8192), 76.1: (60, 10240), 145.6: (80, 12288), 310.1: (96, 16384)}
    printed |= {529.6: (105, 20480), 1008.0: (128, 25600)}
    for billions, (layers, width) in printed.items():
        total = gpt(layers, width, 51200, 2048).total
        assert total / 1e9 == pytest.approx(billions, abs=0.052)
        formula = 12 * layers * width**2 * (1 + 13 / (12 * width) + 53248 / (12 * layers * width))
        assert total - formula == pytest.approx(2 * width, abs=1e-3)
