r"""Fitting a scaling law to runs, and how far to trust the fit.

The law is fitted in logarithms, where its three terms are one log-sum-exp of linear functions:

.. math:: \log \hat L = \lse(a - \alpha \log N,\; b - \beta \log D,\; e), \qquad
    (a, b, e) = (\log A, \log B, \log E).

A Huber loss of small width counts most residuals by their size and not its square, so that single
failed runs have little say.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from primer_ref.checks import check_positive
from primer_ref.functional import as_floats, logsumexp, softmax
from primer_ref.scaling import ScalingLaw

__all__ = ["ScalingFit", "bootstrap_scaling_laws", "fit_scaling_law", "huber_loss"]

Floats = NDArray[np.floating[Any]]
Objective = Callable[[Floats], tuple[float, Floats]]


def huber_loss(residuals: ArrayLike, *, delta: float) -> Floats:
    r"""Half the square of a small residual, a linear function of a large one.

    It is :math:`r^2/2` for :math:`\abs{r} \le \delta` and :math:`\delta(\abs{r} - \delta/2)`
    beyond; value and slope are continuous.

    Parameters
    ----------
    residuals : array_like, shape (...)
        Residuals, r.
    delta : float
        Width δ.

    Returns
    -------
    ndarray, shape (...)
        Losses.

    Raises
    ------
    ValueError
        If the width is not positive.

    Notes
    -----
    Implements :eq:`eq-huber`.

    References
    ----------
    P. J. Huber (1964), Robust Estimation of a Location Parameter.

    Examples
    --------
    >>> from primer_ref.scaling_fit import huber_loss
    >>> print(huber_loss([0.5, 1.0, 3.0], delta=1.0))
    [0.125 0.5   2.5  ]
    """
    check_positive(delta, "delta")
    size = np.abs(as_floats(residuals))
    value: Floats = np.where(size <= delta, size**2 / 2, delta * (size - delta / 2))
    return value


@dataclass(frozen=True, slots=True)
class ScalingFit:
    """A fitted law and how well it fits.

    Attributes
    ----------
    law : ScalingLaw
        Fitted constants.
    objective : float
        Sum of the Huber losses at the fit.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.scaling import BESIROGLU, chinchilla_loss
    >>> from primer_ref.scaling_fit import fit_scaling_law
    >>> n, d = np.meshgrid(np.geomspace(1e7, 1e10, 5), np.geomspace(1e9, 1e12, 5))
    >>> fit = fit_scaling_law(n.ravel(), d.ravel(), chinchilla_loss(n, d, BESIROGLU).ravel())
    >>> f"{fit.law.e:.3f} {fit.law.alpha:.3f} {fit.law.beta:.3f}"
    '1.817 0.348 0.366'
    """

    law: ScalingLaw
    objective: float


def _objective(
    theta: Floats, x: Floats, y: Floats, log_losses: Floats, delta: float
) -> tuple[float, Floats]:
    """Sum the Huber losses at (a, b, e, α, β), and differentiate.

    The slope of log-sum-exp is softmax: how much of the predicted loss each term makes up.
    """
    a, b, e, alpha, beta = theta
    terms = np.stack([a - alpha * x, b - beta * y, np.full_like(x, e)])  # (3, n)
    residuals = logsumexp(terms, axis=0) - log_losses
    slope = softmax(terms, axis=0) * np.clip(residuals, -delta, delta)  # (3, n)
    of_size, of_data, of_floor = slope
    gradient = np.stack([of_size, of_data, of_floor, -of_size * x, -of_data * y])
    return float(np.sum(huber_loss(residuals, delta=delta))), np.sum(gradient, axis=1)


def _minimize(objective: Objective, start: Floats, *, n_steps: int = 500) -> tuple[Floats, float]:
    """Quasi-Newton descent (Broyden, Fletcher, Goldfarb, Shanno) with a halving line search."""
    at, (value, gradient), eye = start, objective(start), np.eye(len(start))
    inverse, scaled = eye, False
    for _ in range(n_steps):
        direction = -inverse @ gradient
        promised = float(gradient @ direction)
        # The second term is for data without noise, whose objective has no digits at its end.
        if promised > -1e-14 * (value + 1e-14):
            break
        length = 1.0
        while (found := objective(at + length * direction))[0] > value + 1e-4 * length * promised:
            length /= 2
            if length < 1e-12:  # rounding hides any further descent
                return at, value
        step, change = length * direction, found[1] - gradient
        at, (value, gradient) = at + step, found
        curvature = float(step @ change)
        if curvature > 0:  # else the pair would not keep the estimate positive
            if not scaled:
                inverse, scaled = eye * (curvature / float(change @ change)), True
            left = eye - np.outer(step, change) / curvature
            inverse = left @ inverse @ left.T + np.outer(step, step) / curvature
    return at, value


def _logarithm(values: ArrayLike, name: str) -> Floats:
    values = as_floats(values)
    bad = ~((values > 0) & np.isfinite(values))
    if np.any(bad):
        raise ValueError(f"{name} must be positive and finite; got {values[bad][0]}")
    return np.log(values)


def _read(
    n_parameters: ArrayLike, n_tokens: ArrayLike, losses: ArrayLike
) -> tuple[Floats, Floats, Floats]:
    """Take logarithms of the runs, and see that there are enough of them."""
    x = _logarithm(n_parameters, "n_parameters")
    y, z = _logarithm(n_tokens, "n_tokens"), _logarithm(losses, "losses")
    if x.ndim != 1 or not x.shape == y.shape == z.shape or len(x) < 5:
        raise ValueError(
            "there must be at least five runs, each with a size, tokens and a loss; "
            f"got shapes {x.shape}, {y.shape} and {z.shape}"
        )
    return x, y, z


def _law(theta: Floats, x_mean: float, y_mean: float) -> ScalingLaw:
    """Undo the centering and the logarithms."""
    a, b, e, alpha, beta = map(float, theta)
    return ScalingLaw(
        e=float(np.exp(e)),
        a=float(np.exp(a + alpha * x_mean)),
        b=float(np.exp(b + beta * y_mean)),
        alpha=alpha,
        beta=beta,
    )


def fit_scaling_law(
    n_parameters: ArrayLike, n_tokens: ArrayLike, losses: ArrayLike, *, delta: float = 1e-3
) -> ScalingFit:
    r"""Fit :math:`E + A/N^\alpha + B/D^\beta` to runs.

    Minimizes the sum of `huber_loss` of the residuals :math:`\log \hat L - \log L`, from many
    starts, and keeps the best.

    Parameters
    ----------
    n_parameters : array_like, shape (n,)
        Sizes of the runs.
    n_tokens : array_like, shape (n,)
        Tokens of the runs.
    losses : array_like, shape (n,)
        Their losses.
    delta : float
        Width of the Huber loss, as a relative error of the loss.

    Returns
    -------
    ScalingFit
        Constants and the value that they attain.

    Raises
    ------
    ValueError
        If a number is not positive and finite, there are fewer than five runs or not a size,
        tokens and a loss for each, the width is not positive, or the best fit has an exponent that
        is not positive: then the runs do not follow such a law.

    Notes
    -----
    Sizes and tokens are centered in logarithms first. Else a scale and its exponent are nearly the
    same direction, the valley is so narrow that an optimizer stops on its way, and the fit depends
    on the start. The stopping rule does not depend on the scale of the objective: a rule that does
    stops early on a mean where it would not on a sum.

    Implements :eq:`eq-scaling-objective`.

    References
    ----------
    J. Hoffmann et al. (2022), Training Compute-Optimal Large Language Models, section 3.3.
    T. Besiroglu, E. Erdil, M. Barnett and J. You (2024), Chinchilla Scaling: A Replication
    Attempt.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.scaling import HOFFMANN, chinchilla_loss
    >>> from primer_ref.scaling_fit import fit_scaling_law
    >>> rng = np.random.default_rng(0)
    >>> n, d = np.exp(rng.uniform(np.log([[1e8], [1e9]]), np.log([[1e10], [3e11]]), (2, 200)))
    >>> losses = chinchilla_loss(n, d, HOFFMANN) * np.exp(rng.normal(0, 0.005, 200))
    >>> law = fit_scaling_law(n, d, losses).law
    >>> abs(law.alpha - 0.34) < 0.05
    True
    """
    x, y, log_losses = _read(n_parameters, n_tokens, losses)
    x_mean, y_mean = float(np.mean(x)), float(np.mean(y))
    data = (x - x_mean, y - y_mean, log_losses, delta)
    low = float(np.min(log_losses))
    # In centered coordinates exp(a) and exp(b) are what size and data cost a typical run.
    scales, exponents = (low - 3, low - 1), (0.2, 0.8)
    fits = [
        _minimize(lambda theta: _objective(theta, *data), np.array(start))
        for start in itertools.product(scales, scales, [low - 0.1], exponents, exponents)
    ]
    theta, value = min(fits, key=lambda fit: fit[1])
    if not np.all(theta[3:] > 0):
        raise ValueError(
            f"loss must fall with size and with data; got a best fit with exponents {theta[3:]}"
        )
    return ScalingFit(_law(theta, x_mean, y_mean), value)


def bootstrap_scaling_laws(
    n_parameters: ArrayLike,
    n_tokens: ArrayLike,
    losses: ArrayLike,
    *,
    n_samples: int,
    rng: np.random.Generator,
    delta: float = 1e-3,
) -> list[ScalingLaw]:
    """Fit the law again and again, to runs drawn with replacement.

    Parameters
    ----------
    n_parameters, n_tokens, losses : array_like, shape (n,)
        Runs, as in `fit_scaling_law`.
    n_samples : int
        Number of fits.
    rng : numpy.random.Generator
        Source of the draws.
    delta : float
        Width of the Huber loss.

    Returns
    -------
    list of ScalingLaw
        Fitted laws. Between the 2.5 and the 97.5 % points of whatever is computed from them lies
        a 95 % interval for it.

    Raises
    ------
    ValueError
        As for `fit_scaling_law`, or if no samples are asked for.

    Notes
    -----
    Each fit starts from that to all runs, and from the same with E just below the losses: where the
    fit to all runs has lost its constant, those of the draws could not find it again. The interval
    is for the constants of a law that is taken to be true. It says nothing of whether the law holds
    beyond the runs.

    References
    ----------
    B. Efron (1979), Bootstrap Methods: Another Look at the Jackknife.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.scaling import HOFFMANN, chinchilla_loss
    >>> from primer_ref.scaling_fit import bootstrap_scaling_laws
    >>> rng = np.random.default_rng(0)
    >>> n, d = np.exp(rng.uniform(np.log([[1e8], [1e9]]), np.log([[1e10], [3e11]]), (2, 200)))
    >>> losses = chinchilla_loss(n, d, HOFFMANN) * np.exp(rng.normal(0, 0.005, 200))
    >>> laws = bootstrap_scaling_laws(n, d, losses, n_samples=20, rng=rng)
    >>> low, high = np.quantile([law.alpha for law in laws], [0.025, 0.975])
    >>> bool(low < 0.34 < high)
    True
    """
    if not n_samples >= 1:
        raise ValueError(f"n_samples must be at least 1; got {n_samples}")
    x, y, log_losses = _read(n_parameters, n_tokens, losses)
    law = fit_scaling_law(n_parameters, n_tokens, losses, delta=delta).law
    x_mean, y_mean = float(np.mean(x)), float(np.mean(y))
    start = np.array(
        [
            np.log(law.a) - law.alpha * x_mean,
            np.log(law.b) - law.beta * y_mean,
            np.log(law.e),
            law.alpha,
            law.beta,
        ]
    )
    # Where log E has gone far below the losses the objective is flat in it: start above, too.
    low = float(np.min(log_losses))
    starts = [start, *(np.where(np.arange(5) == 2, low - gap, start) for gap in (0.1, 1.0))]
    laws = []
    for _ in range(n_samples):
        drawn = rng.integers(len(x), size=len(x))
        data = (x[drawn] - x_mean, y[drawn] - y_mean, log_losses[drawn], delta)
        fits = [_minimize(lambda theta: _objective(theta, *data), at) for at in starts]  # noqa: B023
        theta, _ = min(fits, key=lambda fit: fit[1])
        laws.append(_law(theta, x_mean, y_mean))
    return laws
