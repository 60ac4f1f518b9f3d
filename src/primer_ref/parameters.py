"""How many parameters a decoder has, part by part and to the unit.

"The number of parameters" has no meaning without a convention: whether the table of tokens counts,
and once or twice, whether positions are learned, whether there are biases. So a count here is a
record of parts, and each convention is a sum over some of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from primer_ref.config import Config
from primer_ref.heads import attention_parameters

__all__ = ["MODELS", "ParameterCount", "PublishedModel", "gpt_parameters", "llama_parameters"]


@dataclass(frozen=True, slots=True)
class ParameterCount:
    """Parameters of a decoder by what they do.

    Attributes
    ----------
    token_embedding : int
        Table of tokens, V·C.
    position_embedding : int
        Table of learned positions; 0 where positions are computed.
    attention : int
        Matrices of queries, keys, values and outputs, all layers.
    feed_forward : int
        Matrices of the feed-forward parts, all layers.
    gains : int
        Scales of the norms.
    biases : int
        Everything that is added: biases of the matrices and shifts of the norms.
    head : int
        Matrix that gives the scores of the tokens; 0 where it is the table of tokens.

    Examples
    --------
    >>> from primer_ref.parameters import MODELS
    >>> count = MODELS["gpt2"].parameters
    >>> f"{count.total:,}", f"{count.non_embedding:,}"
    ('124,439,808', '85,056,000')
    """

    token_embedding: int
    position_embedding: int
    attention: int
    feed_forward: int
    gains: int
    biases: int
    head: int

    @property
    def total(self) -> int:
        """All that is trained and stored, a shared table once."""
        return self.non_embedding + self.token_embedding + self.position_embedding + self.head

    @property
    def non_embedding(self) -> int:
        """What is left without both ends, the tables of tokens and positions and the head."""
        return self.attention + self.feed_forward + self.gains + self.biases

    @property
    def scores(self) -> int:
        """Size of the matrix that gives the scores, shared or not, V·C numbers."""
        return self.head or self.token_embedding

    @property
    def multiplying(self) -> int:
        """Entries of the matrices that multiply every token, the rule of six operations' N."""
        return self.attention + self.feed_forward + self.scores


def _attention(config: Config) -> int:
    """Count the attention matrices of all layers."""
    return config.n_layers * attention_parameters(
        config.width, config.n_heads, config.head_size, n_kv_heads=config.n_kv_heads
    )


def gpt_parameters(config: Config) -> ParameterCount:
    r"""Count the parameters of a GPT-2: biases everywhere, learned positions, a shared head.

    With :math:`HD = KD = C` and :math:`F = 4C` the total is
    :math:`VC + TC + L(12C^2 + 13C) + 2C`.

    Parameters
    ----------
    config : Config
        Sizes; ``context`` is the number of positions.

    Returns
    -------
    ParameterCount
        The parts.

    Notes
    -----
    A layer adds, beside its matrices, H·D + 2·K·D + C biases in attention, F + C in the
    feed-forward part, and a gain and a shift for each coordinate of two norms; one more norm
    follows the last layer. A variant without biases has ``total - biases`` parameters.

    Implements :eq:`eq-gpt-parameters`.

    References
    ----------
    A. Radford, J. Wu, R. Child, D. Luan, D. Amodei and I. Sutskever (2019), Language Models are
    Unsupervised Multitask Learners.

    Examples
    --------
    >>> from primer_ref.parameters import MODELS, gpt_parameters
    >>> f"{gpt_parameters(MODELS['gpt2-xl'].config).total:,}"
    '1,557,611,200'
    """
    layers, width, size = config.n_layers, config.width, config.head_size
    norms = (2 * layers + 1) * width
    qkv = (config.n_heads + 2 * config.n_kv_heads) * size
    return ParameterCount(
        token_embedding=config.n_tokens * width,
        position_embedding=config.context * width,
        attention=_attention(config),
        feed_forward=layers * 2 * width * config.hidden,
        gains=norms,
        biases=layers * (qkv + width + config.hidden + width) + norms,
        head=0,
    )


def llama_parameters(config: Config, *, tied: bool) -> ParameterCount:
    r"""Count the parameters of a Llama: no biases, rotary positions, a gated feed-forward part.

    The total is :math:`VC + L(2CHD + 2CKD + 3CF + 2C) + C`, and another :math:`VC` if the head is
    a matrix of its own.

    Parameters
    ----------
    config : Config
        Sizes.
    tied : bool
        Whether the table of tokens also gives the scores of the tokens.

    Returns
    -------
    ParameterCount
        The parts.

    Notes
    -----
    Implements :eq:`eq-llama-parameters`.

    References
    ----------
    H. Touvron et al. (2023), LLaMA: Open and Efficient Foundation Language Models.

    Examples
    --------
    >>> from primer_ref.parameters import MODELS, llama_parameters
    >>> config = MODELS["smollm2-135m"].config
    >>> [f"{llama_parameters(config, tied=tied).total:,}" for tied in (True, False)]
    ['134,515,008', '162,826,560']
    """
    table = config.n_tokens * config.width
    return ParameterCount(
        token_embedding=table,
        position_embedding=0,
        attention=_attention(config),
        feed_forward=config.n_layers * 3 * config.width * config.hidden,
        gains=(2 * config.n_layers + 1) * config.width,
        biases=0,
        head=0 if tied else table,
    )


@dataclass(frozen=True, slots=True)
class PublishedModel:
    """A model whose sizes are public.

    Attributes
    ----------
    config : Config
        Its sizes.
    parameters : ParameterCount
        Its parameters.

    Examples
    --------
    >>> from primer_ref.parameters import MODELS
    >>> MODELS["llama3-8b"].config.n_kv_heads
    8
    """

    config: Config
    parameters: ParameterCount


def _gpt(n_layers: int, width: int, head_size: int, context: int) -> PublishedModel:
    """Fill in what all sizes of GPT-2 and GPT-3 have in common."""
    config = Config(
        n_layers=n_layers,
        width=width,
        n_heads=width // head_size,
        n_kv_heads=width // head_size,
        head_size=head_size,
        hidden=4 * width,
        n_tokens=50257,
        context=context,
    )
    return PublishedModel(config, gpt_parameters(config))


def _llama(
    shape: tuple[int, int, int, int, int, int],
    n_tokens: int,
    context: int,
    rope_base: float,
    *,
    tied: bool = False,
) -> PublishedModel:
    """Read a row of the table: layers, width, heads, key heads, head size, hidden width."""
    n_layers, width, n_heads, n_kv_heads, head_size, hidden = shape
    config = Config(
        n_layers=n_layers,
        width=width,
        n_heads=n_heads,
        n_kv_heads=n_kv_heads,
        head_size=head_size,
        hidden=hidden,
        n_tokens=n_tokens,
        context=context,
        rope_base=rope_base,
    )
    return PublishedModel(config, llama_parameters(config, tied=tied))


#: Models by name. Context is the length that a model was published with; GPT-3 is counted as the
#: dense decoder of its table of sizes (its banded attention has as many parameters).
MODELS: Mapping[str, PublishedModel] = MappingProxyType(
    {
        "gpt2": _gpt(12, 768, 64, 1024),
        "gpt2-medium": _gpt(24, 1024, 64, 1024),
        "gpt2-large": _gpt(36, 1280, 64, 1024),
        "gpt2-xl": _gpt(48, 1600, 64, 1024),
        "gpt3-175b": _gpt(96, 12288, 128, 2048),
        "llama2-7b": _llama((32, 4096, 32, 32, 128, 11008), 32000, 4096, 1e4),
        "llama2-13b": _llama((40, 5120, 40, 40, 128, 13824), 32000, 4096, 1e4),
        "llama2-70b": _llama((80, 8192, 64, 8, 128, 28672), 32000, 4096, 1e4),
        "llama3-8b": _llama((32, 4096, 32, 8, 128, 14336), 128256, 8192, 5e5),
        "llama3-70b": _llama((80, 8192, 64, 8, 128, 28672), 128256, 8192, 5e5),
        "llama3-405b": _llama((126, 16384, 128, 8, 128, 53248), 128256, 131072, 5e5),
        "mistral-7b": _llama((32, 4096, 32, 8, 128, 14336), 32000, 8192, 1e4),
        "smollm2-135m": _llama((30, 576, 9, 3, 64, 1536), 49152, 8192, 1e5, tied=True),
    }
)
