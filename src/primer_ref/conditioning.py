r"""Sampling from a model conditioned on a regular language, exactly.

A mask lets every token through after which the text can still be completed; conditioning weights it
by the probability that the model would complete it. That probability, the future validity, is a sum
over all continuations. For a model with finitely many contexts and a language with finitely many
states it is computed backwards, from the ends of the texts to their beginning.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from primer_ref.constrained import TokenAutomaton
from primer_ref.decoding import restrict, sample
from primer_ref.ngram import NgramModel

__all__ = [
    "Chain",
    "conditional_distribution",
    "future_validity",
    "masked_distribution",
    "ngram_chain",
    "sample_valid",
]

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.integer[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Chain:
    """A model that sees of a text only which of finitely many contexts it is in; it begins in 0.

    Attributes
    ----------
    law : ndarray, shape (contexts, V)
        Row c is the law of the next token in context c, the end token included.
    follow : ndarray of int, shape (contexts, V)
        The context after each context and token; of no meaning after the end token.
    """

    law: Floats
    follow: Ints


def ngram_chain(model: NgramModel) -> Chain:
    """List the contexts of an n-gram model.

    Parameters
    ----------
    model : NgramModel
        Of order n − 1 over V symbols.

    Returns
    -------
    Chain
        With V + 1 tokens, the end token last. Its contexts are the texts of up to n − 1 symbols:
        1 + V + … + V^(n − 1) of them.

    Examples
    --------
    >>> from primer_ref.conditioning import ngram_chain
    >>> from primer_ref.ngram import fit_ngrams
    >>> chain = ngram_chain(fit_ngrams([[0, 1, 0, 1]], n_symbols=2, order=1, lowest=1, strength=0))
    >>> print(chain.law)  # at the beginning, after 0, after 1
    [[1.  0.  0. ]
     [0.  1.  0. ]
     [0.5 0.  0.5]]
    """
    symbols, order = range(model.n_symbols), model.order
    contexts = [c for k in range(order + 1) for c in itertools.product(symbols, repeat=k)]
    number = {context: i for i, context in enumerate(contexts)}
    follow = [
        [number[(*context, v)[max(0, len(context) + 1 - order) :]] for v in symbols] + [0]
        for context in contexts
    ]
    return Chain(np.array([model.distribution(context) for context in contexts]), np.array(follow))


def future_validity(chain: Chain, tokens: TokenAutomaton, *, length: int) -> Floats:
    r"""Compute how probably the model, left alone, ends in time with a text of the language.

    From context c and state s, with at most r further tokens,

    .. math::
        h_r(c, s) = p(\eos \mid c)\, \indicator[s \in F]
            + \sum_v p(v \mid c)\, h_{r-1}(c \cdot v, s \cdot v) ,

    where the sum is 0 for r = 0, and F are the states where a text may end. As in a mask, h is 0
    after a token after which no text of the language goes on, or which spells nothing.

    Parameters
    ----------
    chain : Chain
        The model.
    tokens : TokenAutomaton
        The language, over the same V tokens.
    length : int
        Largest number R of tokens before the end token.

    Returns
    -------
    ndarray, shape (R + 1, contexts, S)
        Entry (r, c, s) is :math:`h_r(c, s)`; entry (R, 0, 0) is the probability that the model
        writes a text of the language of at most R tokens.

    Raises
    ------
    ValueError
        If the model and the language have different numbers of tokens, or the length is negative.

    Notes
    -----
    Implements :eq:`eq-future-validity`.

    R · contexts · S · V multiplications. A neural model has a context for every text, and no such
    table.

    Examples
    --------
    >>> from primer_ref.automata import compile_pattern
    >>> from primer_ref.conditioning import Chain, future_validity
    >>> from primer_ref.constrained import TokenAutomaton
    >>> import numpy as np
    >>> coin = Chain(np.array([[0.25, 0.25, 0.5]]), np.zeros((1, 3), int))  # a, b or the end
    >>> tokens = TokenAutomaton(compile_pattern("a*"), [b"a", b"b", b""], end=2)
    >>> print(future_validity(coin, tokens, length=3)[:, 0, 0])  # 1/2, + 1/8, + 1/32, …
    [0.5       0.625     0.65625   0.6640625]
    """
    table = _table(chain, tokens)  # (S, V)
    if length < 0:
        raise ValueError(f"length must be at least 0; got {length}")
    end = chain.law[:, tokens.end, None] * tokens.automaton.accepting  # (contexts, S)
    future = [end]
    for _ in range(length):
        onward = np.where(table >= 0, future[-1][chain.follow[:, None, :], table], 0)
        future.append(end + np.sum(chain.law[:, None, :] * onward, axis=-1))
    return np.stack(future)


def _table(chain: Chain, tokens: TokenAutomaton) -> Ints:
    table = np.stack([tokens.next_states(s) for s in range(len(tokens.distance))])
    if table.shape[1] != chain.law.shape[1]:
        raise ValueError(
            "model and language must have the same tokens; "
            f"got {chain.law.shape[1]} and {table.shape[1]}"
        )
    return table


def masked_distribution(
    chain: Chain, tokens: TokenAutomaton, *, context: int, state: int
) -> Floats:
    r"""Renormalize the model's law over the tokens that may come, which is not conditioning.

    Parameters
    ----------
    chain : Chain
        The model.
    tokens : TokenAutomaton
        The language, over the same tokens.
    context, state : int
        Where the text has led model and automaton.

    Returns
    -------
    ndarray, shape (V,)
        In proportion to :math:`p(v \mid c)` where the text can be completed after v, else 0.

    Raises
    ------
    ValueError
        If all that may come has probability 0: a mask can lead into a dead end of the model.

    Notes
    -----
    Implements :eq:`eq-masked-token`.

    Examples
    --------
    See `conditional_distribution`, which compares the two.

    >>> from primer_ref.automata import compile_pattern
    >>> from primer_ref.conditioning import Chain, masked_distribution
    >>> from primer_ref.constrained import TokenAutomaton
    >>> import numpy as np
    >>> coin = Chain(np.array([[0.25, 0.25, 0.5]]), np.zeros((1, 3), int))
    >>> tokens = TokenAutomaton(compile_pattern("a*"), [b"a", b"b", b""], end=2)
    >>> print(masked_distribution(coin, tokens, context=0, state=0).round(4))
    [0.3333 0.     0.6667]
    """
    return restrict(chain.law[context], tokens.allowed(state))


def conditional_distribution(
    chain: Chain,
    tokens: TokenAutomaton,
    future: Floats,
    *,
    context: int,
    state: int,
    left: int,
) -> Floats:
    r"""Law of the next token, given that the text will end in time and be in the language.

    .. math::
        p(v \mid c, \text{valid}) = \frac{p(v \mid c)\, h_{r-1}(c \cdot v, s \cdot v)}{h_r(c, s)}

    Parameters
    ----------
    chain : Chain
        The model.
    tokens : TokenAutomaton
        The language, over the same tokens.
    future : ndarray, shape (R + 1, contexts, S)
        What `future_validity` returned for them.
    context, state : int
        Where the text has led model and automaton.
    left : int
        How many tokens may still come before the end token, r ≤ R.

    Returns
    -------
    ndarray, shape (V,)
        The distribution. With p alone in place of p · h it would be the masked one.

    Raises
    ------
    ValueError
        If no continuation is valid and possible.

    Notes
    -----
    Implements :eq:`eq-conditional-token`.

    Tokens drawn one after another from these laws make a text x with the probability
    p(x) / h_R(0, 0): in the product every h but the first one cancels.

    References
    ----------
    K. Park, J. Wang, T. Berg-Kirkpatrick, N. Polikarpova and L. D'Antoni (2024), Grammar-Aligned
    Decoding, approximate h for models that have no such table.

    Examples
    --------
    A model begins with a or b, equally likely, and repeats an a once in a hundred times, a b nearly
    always. The language is aa and bb. Masking leaves the first token at one half:

    >>> import numpy as np
    >>> from primer_ref.automata import compile_pattern
    >>> from primer_ref.conditioning import Chain, conditional_distribution, future_validity
    >>> from primer_ref.conditioning import masked_distribution
    >>> from primer_ref.constrained import TokenAutomaton
    >>> law = [[0.5, 0.5, 0.0], [0.01, 0.99, 0.0], [0.01, 0.99, 0.0], [0.0, 0.0, 1.0]]
    >>> follow = [[1, 2, 0], [3, 3, 0], [3, 3, 0], [3, 3, 0]]
    >>> chain = Chain(np.array(law), np.array(follow))
    >>> tokens = TokenAutomaton(compile_pattern("aa|bb"), [b"a", b"b", b""], end=2)
    >>> print(masked_distribution(chain, tokens, context=0, state=0))
    [0.5 0.5 0. ]
    >>> h = future_validity(chain, tokens, length=2)
    >>> print(conditional_distribution(chain, tokens, h, context=0, state=0, left=2))
    [0.01 0.99 0.  ]
    """
    if not future[left, context, state] > 0:
        raise ValueError("some continuation must be valid and possible; got none")
    following = tokens.next_states(state)
    weights = np.zeros(len(following))
    if left > 0:
        onward = future[left - 1][chain.follow[context], following]
        weights = chain.law[context] * np.where(following >= 0, onward, 0)
    weights[tokens.end] = chain.law[context, tokens.end] * tokens.automaton.accepting[state]
    conditional: Floats = weights / future[left, context, state]
    return conditional


def sample_valid(
    chain: Chain, tokens: TokenAutomaton, future: Floats, *, rng: np.random.Generator
) -> list[int]:
    r"""Draw a text from the model conditioned on being in the language and of at most R tokens.

    Parameters
    ----------
    chain : Chain
        The model.
    tokens : TokenAutomaton
        The language, over the same tokens.
    future : ndarray, shape (R + 1, contexts, S)
        What `future_validity` returned for them.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    list of int
        Tokens, without the end token. No draw is rejected.

    Raises
    ------
    ValueError
        If the model gives the language probability 0.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.automata import compile_pattern
    >>> from primer_ref.conditioning import future_validity, ngram_chain, sample_valid
    >>> from primer_ref.constrained import TokenAutomaton
    >>> from primer_ref.ngram import fit_ngrams, letters27
    >>> names = [letters27(name) for name in ("anna", "hannah", "otto", "hanno", "nathan")]
    >>> chain = ngram_chain(fit_ngrams(names, n_symbols=27, order=2, strength=0.1))
    >>> letters = [b" ", *(bytes([byte]) for byte in range(ord("a"), ord("z") + 1)), b""]
    >>> tokens = TokenAutomaton(compile_pattern("[^o]*o[^o]*"), letters, end=27)  # one o exactly
    >>> h = future_validity(chain, tokens, length=8)
    >>> rng = np.random.default_rng(1)
    >>> for _ in range(3):
    ...     print(b"".join(letters[v] for v in sample_valid(chain, tokens, h, rng=rng)).decode())
    hanno
    nathanno
    hanno
    """
    text: list[int] = []
    context = state = 0
    while True:
        left = len(future) - 1 - len(text)
        law = conditional_distribution(
            chain, tokens, future, context=context, state=state, left=left
        )
        token = int(sample(law, rng=rng))
        if token == tokens.end:
            return text
        text.append(token)
        context, state = int(chain.follow[context, token]), tokens.advance(state, token)
