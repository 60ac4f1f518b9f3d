r"""Why models with more parameters than data can generalize: interpolation and implicit bias.

Two problems in which everything can be proved. In linear regression, gradient descent from zero
finds, among all solutions that fit, the one of least norm, and its risk is known in closed form. In
separable classification, gradient descent on the logistic loss turns toward the plane of largest
margin, at the pace of a logarithm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from primer_ref.activations import sigmoid
from primer_ref.checks import check_nonnegative, check_positive
from primer_ref.functional import as_floats, as_positive

__all__ = [
    "RidgelessRisk",
    "descent_limit",
    "least_squares_descent",
    "logistic_descent",
    "max_margin_solution",
    "min_norm_solution",
    "ridge_risk",
    "ridgeless_risk",
    "ridgeless_risk_gaussian",
    "ridgeless_risk_given",
    "uniform_gap",
]

Floats = NDArray[np.floating[Any]]


def _read(x: ArrayLike, y: ArrayLike) -> tuple[Floats, Floats]:
    x, y = as_floats(x), as_floats(y)
    if x.ndim != 2 or y.shape != x.shape[:1] or x.size == 0:
        raise ValueError(f"there must be a target for each row; got shapes {x.shape} and {y.shape}")
    if not (np.all(np.isfinite(x)) and np.all(np.isfinite(y))):
        raise ValueError("data must be finite; got NaN or an infinity")
    return x, y


def _start(start: ArrayLike, x: Floats) -> Floats:
    start = as_floats(start)
    if start.shape != x.shape[1:]:
        raise ValueError(
            f"start must have a weight for each feature; got shapes {start.shape} and {x.shape}"
        )
    if not np.all(np.isfinite(start)):
        raise ValueError("start must be finite; got NaN or an infinity")
    return start


def uniform_gap(log_size: ArrayLike, n_cases: ArrayLike, *, delta: float) -> Floats:
    r"""Bound the gap of error that no hypothesis of a finite class exceeds.

    It is :math:`\sqrt{(\log|\mathcal H| + \log(2/\delta)) / 2n}`.

    Parameters
    ----------
    log_size : array_like, shape (...)
        Logarithm of the number of hypotheses, log|H|; 0 for one that the data did not choose.
    n_cases : array_like, shape (...)
        Independent cases, n.
    delta : float
        Probability, δ, with which a gap may be larger.

    Returns
    -------
    ndarray, shape (...)
        Largest difference between error on the cases and expected error, on a scale from 0 to 1.

    Raises
    ------
    ValueError
        If the logarithm is negative, a number of cases is not positive, or δ is not in (0, 1].

    Notes
    -----
    From 1 on the bound says nothing. Uses Hoeffding's inequality for each hypothesis and the sum
    of their probabilities.

    Implements :eq:`eq-uniform-gap`.

    References
    ----------
    W. Hoeffding (1963), Probability Inequalities for Sums of Bounded Random Variables.

    Examples
    --------
    >>> from primer_ref.generalization import uniform_gap
    >>> print(uniform_gap([0.0, 20.0, 1000.0], 1000, delta=0.05).round(3))
    [0.043 0.109 0.708]
    """
    log_size, n_cases = as_floats(log_size), as_positive(n_cases, "n_cases")
    if not np.all(log_size >= 0):
        raise ValueError(f"log_size must not be negative; got {log_size}")
    if not 0 < delta <= 1:
        raise ValueError(f"delta must be in (0, 1]; got {delta}")
    gap: Floats = np.sqrt((log_size + np.log(2 / delta)) / (2 * n_cases))
    return gap


def min_norm_solution(x: ArrayLike, y: ArrayLike) -> Floats:
    r"""Least-squares solution of least norm, :math:`X^+ y`.

    Parameters
    ----------
    x : array_like, shape (n, p)
        Features, one case a row.
    y : array_like, shape (n,)
        Targets.

    Returns
    -------
    ndarray, shape (p,)
        Weights. If the rows of ``x`` are independent they fit every target.

    Raises
    ------
    ValueError
        If there is not one target a row, or a number is not finite.

    Notes
    -----
    Implements :eq:`eq-min-norm`.

    Examples
    --------
    >>> from primer_ref.generalization import min_norm_solution
    >>> print(min_norm_solution([[1.0, 1.0]], [2.0]))  # of all w with w₁ + w₂ = 2
    [1. 1.]
    """
    x, y = _read(x, y)
    solution: Floats = np.linalg.lstsq(x, y, rcond=None)[0]
    return solution


def least_squares_descent(
    x: ArrayLike, y: ArrayLike, start: ArrayLike, *, step: float, n_steps: int
) -> Floats:
    r"""Descend :math:`\tfrac12 \norm{Xw - y}^2` by its gradient.

    Parameters
    ----------
    x : array_like, shape (n, p)
        Features.
    y : array_like, shape (n,)
        Targets.
    start : array_like, shape (p,)
        Weights to start from.
    step : float
        Step size η. Below :math:`2/\sigma_{\max}^2(X)` the descent converges, above it diverges.
    n_steps : int
        Number of steps.

    Returns
    -------
    ndarray, shape (p,)
        Weights.

    Raises
    ------
    ValueError
        If there is not one target a row or one weight a feature, a number is not finite, the step
        is not positive, or the number of steps is negative.

    Notes
    -----
    Every gradient :math:`X^\T(Xw - y)` lies in the row space of X. What the start has outside of
    it stays for ever, and `descent_limit` says where that leads.

    Implements :eq:`eq-least-squares-descent`.

    Examples
    --------
    >>> from primer_ref.generalization import least_squares_descent
    >>> x, y = [[1.0, 1.0]], [2.0]
    >>> for start in ([0.0, 0.0], [1.0, -1.0]):
    ...     print(least_squares_descent(x, y, start, step=0.5, n_steps=50))
    [1. 1.]
    [2. 0.]
    """
    x, y = _read(x, y)
    check_positive(step, "step")
    check_nonnegative(n_steps, "n_steps")
    w = _start(start, x)
    for _ in range(n_steps):
        w = w - step * (x.T @ (x @ w - y))
    return w


def descent_limit(x: ArrayLike, y: ArrayLike, start: ArrayLike) -> Floats:
    r"""Find where least-squares descent ends, :math:`X^+ y + (I - X^+ X)\, w_0`.

    Parameters
    ----------
    x : array_like, shape (n, p)
        Features.
    y : array_like, shape (n,)
        Targets.
    start : array_like, shape (p,)
        Weights that the descent starts from, w₀.

    Returns
    -------
    ndarray, shape (p,)
        The solution nearest to the start: the one of least norm if the start is zero, or any
        combination of rows.

    Raises
    ------
    ValueError
        If there is not one target a row or one weight a feature, or a number is not finite.

    Notes
    -----
    Implements :eq:`eq-descent-limit`.

    Examples
    --------
    >>> from primer_ref.generalization import descent_limit
    >>> print(descent_limit([[1.0, 1.0]], [2.0], [1.5, -1.5]))
    [ 2.5 -0.5]
    """
    x, y = _read(x, y)
    w = _start(start, x)
    return w + min_norm_solution(x, y - x @ w)


@dataclass(frozen=True, slots=True, eq=False)
class RidgelessRisk:
    """Expected squared error of the prediction, beyond the noise of a new case.

    Attributes
    ----------
    bias : ndarray
        What the data do not show of the truth.
    variance : ndarray
        What the noise of the data costs.

    Examples
    --------
    >>> from primer_ref.generalization import ridgeless_risk
    >>> risk = ridgeless_risk(2.0, noise=1.0, signal=1.0)
    >>> float(risk.bias), float(risk.variance), float(risk.total)
    (0.5, 1.0, 1.5)
    """

    bias: Floats
    variance: Floats

    @property
    def total(self) -> Floats:
        """Bias and variance together."""
        total: Floats = self.bias + self.variance
        return total


def _check_powers(noise: float, signal: float) -> None:
    check_nonnegative(noise, "noise")
    check_nonnegative(signal, "signal")


def ridgeless_risk(gamma: ArrayLike, *, noise: float, signal: float) -> RidgelessRisk:
    r"""Risk of the least-norm solution for independent features, :math:`n, p \to \infty`.

    .. math:: \text{bias} = r^2 \left(1 - \frac{1}{\gamma}\right)_+, \qquad
        \text{variance} = \sigma^2 \cdot
        \begin{cases} \gamma/(1-\gamma) & \gamma < 1 \\ 1/(\gamma-1) & \gamma > 1 \end{cases}

    Parameters
    ----------
    gamma : array_like, shape (...)
        Features for each case, γ = p/n.
    noise : float
        Variance of the targets' noise, σ².
    signal : float
        Squared norm of the true weights, r².

    Returns
    -------
    RidgelessRisk
        Bias and variance; the variance is infinite at γ = 1.

    Raises
    ------
    ValueError
        If a ratio is not positive, or a variance is negative.

    Notes
    -----
    Assumes features with mean 0, variance 1 and no correlation, a test case of the same law, and
    noise that is independent of them. Past the threshold more features make the variance smaller:
    noise is spread over more directions. The risk comes down a second time.

    Implements :eq:`eq-ridgeless-limit`.

    References
    ----------
    T. Hastie, A. Montanari, S. Rosset and R. J. Tibshirani (2022), Surprises in High-Dimensional
    Ridgeless Least Squares Interpolation, theorem 1.

    Examples
    --------
    >>> from primer_ref.generalization import ridgeless_risk
    >>> print(ridgeless_risk([0.5, 1.0, 1.5, 5.0], noise=1.0, signal=1.0).total.round(3))
    [1.    inf 2.333 1.05 ]
    """
    _check_powers(noise, signal)
    gamma = as_positive(gamma, "gamma")
    with np.errstate(divide="ignore"):
        variance = np.where(gamma < 1, gamma, 1) / np.abs(1 - gamma)
    # No noise does no harm, at the threshold either.
    variance = noise * variance if noise > 0 else np.zeros_like(gamma)
    return RidgelessRisk(signal * np.maximum(1 - 1 / gamma, 0), variance)


def ridge_risk(
    gamma: ArrayLike, *, noise: float, signal: float, penalty: ArrayLike
) -> RidgelessRisk:
    r"""Risk of ridge regression for independent features, :math:`n, p \to \infty`.

    The estimate is :math:`(X^\T X + n\lambda I)^{-1} X^\T y`. With the limit m of
    :math:`\tr\,(X^\T X/n + \lambda I)^{-1}/p` and that of its square in the place of the inverse,
    which we call m′,

    .. math:: \text{bias} = r^2 \lambda^2 m', \qquad
        \text{variance} = \sigma^2 \gamma\,(m - \lambda m') .

    Parameters
    ----------
    gamma : array_like, shape (...)
        Features for each case, γ = p/n.
    noise : float
        Variance of the targets' noise, σ².
    signal : float
        Squared norm of the true weights, r².
    penalty : array_like, shape (...)
        λ, at least 0. With 0 it is `ridgeless_risk`; the least risk has
        :math:`\lambda = \gamma\sigma^2/r^2`.

    Returns
    -------
    RidgelessRisk
        Bias and variance.

    Raises
    ------
    ValueError
        If a ratio is not positive, or a variance or a penalty is negative.

    Notes
    -----
    Assumes what `ridgeless_risk` does. The eigenvalues of :math:`X^\T X/n` follow Marchenko and
    Pastur's law, for which :math:`\gamma\lambda m^2 + (1 - \gamma + \lambda)\,m = 1`; m′ is the
    negative derivative of m by λ.

    References
    ----------
    T. Hastie, A. Montanari, S. Rosset and R. J. Tibshirani (2022), Surprises in High-Dimensional
    Ridgeless Least Squares Interpolation.

    Examples
    --------
    >>> from primer_ref.generalization import ridge_risk
    >>> for penalty in (0.01, 0.25, 2.0):
    ...     risk = ridge_risk(1.0, noise=0.25, signal=1.0, penalty=penalty)
    ...     print(f"{risk.total:.2f}")
    1.18
    0.39
    0.60
    """
    _check_powers(noise, signal)
    gamma, lam = np.broadcast_arrays(as_positive(gamma, "gamma"), as_floats(penalty))
    if not np.all(lam >= 0):
        raise ValueError(f"penalty must not be negative; got {np.min(lam)}")
    plain = ridgeless_risk(gamma, noise=noise, signal=signal)
    safe = np.where(lam > 0, lam, 1)
    below, above = 1 - gamma + safe, gamma - 1 + safe
    root = np.sqrt(below**2 + 4 * gamma * safe)
    # m and m − λm′ in two forms each, so that nothing cancels.
    m = np.where(below > 0, 2 / (root + np.abs(below)), (root - below) / (2 * gamma * safe))
    left = np.where(above > 0, 2 * safe / (root + np.abs(above)), (root - above) / 2) * m / root
    square = m * (1 + gamma * m) / root
    return RidgelessRisk(
        np.where(lam > 0, signal * safe**2 * square, plain.bias),
        np.where(lam > 0, noise * gamma * left, plain.variance),
    )


def ridgeless_risk_gaussian(
    n_cases: int, n_features: int, *, noise: float, signal: float
) -> RidgelessRisk:
    r"""Mean risk of the least-norm solution for normal features, at finite sizes.

    .. math:: \text{bias} = r^2 \left(1 - \frac{n}{p}\right)_+, \qquad
        \text{variance} = \sigma^2 \cdot
        \begin{cases} p/(n-p-1) & p \le n - 2 \\ n/(p-n-1) & p \ge n + 2 \end{cases}

    Parameters
    ----------
    n_cases : int
        Cases, n.
    n_features : int
        Features, p.
    noise : float
        Variance of the targets' noise, σ².
    signal : float
        Squared norm of the true weights, r².

    Returns
    -------
    RidgelessRisk
        Bias and variance; the mean of the variance is infinite if n and p differ by less than 2.

    Raises
    ------
    ValueError
        If a number is not positive, or a variance is negative.

    Notes
    -----
    Exact for independent standard normal features, cases and test case alike.

    Implements :eq:`eq-ridgeless-gaussian`.

    Examples
    --------
    >>> from primer_ref.generalization import ridgeless_risk_gaussian
    >>> for p in (10, 19, 20, 22, 60):
    ...     print(p, f"{ridgeless_risk_gaussian(20, p, noise=1.0, signal=1.0).total:.2f}")
    10 1.11
    19 inf
    20 inf
    22 20.09
    60 1.18
    """
    _check_powers(noise, signal)
    if n_cases < 1 or n_features < 1:
        raise ValueError(f"sizes must be positive; got {n_cases} cases and {n_features} features")
    few, gap = min(n_cases, n_features), abs(n_cases - n_features)
    variance = noise * few / (gap - 1) if gap > 1 else (np.inf if noise > 0 else 0.0)
    bias = signal * max(1 - n_cases / n_features, 0)
    return RidgelessRisk(np.asarray(bias), np.asarray(variance))


def ridgeless_risk_given(x: ArrayLike, weights: ArrayLike, *, noise: float) -> RidgelessRisk:
    r"""Risk of the least-norm solution on given features, averaged over noise and test cases.

    .. math:: \text{bias} = \norm{(I - X^+ X)\,w}^2, \qquad
        \text{variance} = \sigma^2 \norm{X^+}_F^2.

    Parameters
    ----------
    x : array_like, shape (n, p)
        Features that were trained on.
    weights : array_like, shape (p,)
        True weights, w.
    noise : float
        Variance of the targets' noise, σ².

    Returns
    -------
    RidgelessRisk
        Bias and variance, exact for test features of mean 0, variance 1 and no correlation.

    Raises
    ------
    ValueError
        If there is not one weight a feature, or the variance is negative.

    Notes
    -----
    Implements :eq:`eq-ridgeless-given`.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.generalization import ridgeless_risk_given
    >>> x = np.random.default_rng(0).normal(size=(100, 200))
    >>> risk = ridgeless_risk_given(x, np.eye(200)[0], noise=1.0)
    >>> f"{risk.bias:.2f} {risk.variance:.2f}"  # the limit: 0.50 and 1.00
    '0.47 0.98'
    """
    x, weights = as_floats(x), as_floats(weights)
    check_nonnegative(noise, "noise")
    if x.ndim != 2 or weights.shape != x.shape[1:]:
        raise ValueError(
            f"there must be a weight for each feature; got shapes {x.shape} and {weights.shape}"
        )
    inverse = np.linalg.pinv(x)
    unseen = weights - inverse @ (x @ weights)
    return RidgelessRisk(np.asarray(np.sum(unseen**2)), np.asarray(noise * np.sum(inverse**2)))


def _signed(x: ArrayLike, labels: ArrayLike) -> Floats:
    """Multiply each row by its label, so that a good plane has all of them on one side."""
    x, labels = _read(x, labels)
    bad = np.abs(labels) != 1
    if np.any(bad):
        raise ValueError(f"labels must be −1 or 1; got {labels[bad][0]}")
    return x * labels[:, None]


def _nonnegative_least_squares(a: Floats, b: Floats) -> Floats:
    """Minimize ‖a x − b‖ over x ≥ 0, adding and removing one active column at a time."""
    x, active = np.zeros(a.shape[1]), np.zeros(a.shape[1], bool)
    tolerance = 1e-12 * float(np.max(np.abs(a))) ** 2
    while True:
        rest, nearest = b - a @ x, x
        slope = np.where(active, -np.inf, a.T @ rest)
        if not np.max(slope) > tolerance:
            return x
        active[np.argmax(slope)] = True
        while True:
            target = np.zeros_like(x)
            target[active] = np.linalg.lstsq(a[:, active], b, rcond=None)[0]
            blocking = active & (target < 0)
            if not np.any(blocking):
                x = target
                break
            # Go as far as the first entry that would turn negative, and let go of it.
            reach = x[blocking] / (x[blocking] - target[blocking])
            x = x + np.min(reach) * (target - x)
            active[np.flatnonzero(blocking)[reach == np.min(reach)]] = False
            x[~active] = 0
        # Each round brings a x nearer to b. Where it does not, the slope was rounding, and the next
        # round would be the same again.
        if not np.linalg.norm(b - a @ x) < np.linalg.norm(rest):
            return nearest


def max_margin_solution(x: ArrayLike, labels: ArrayLike) -> Floats:
    r"""Hard-margin classifier: the least :math:`\norm{w}` with :math:`y_i\, x_i \cdot w \ge 1`.

    Parameters
    ----------
    x : array_like, shape (n, p)
        Cases, one a row. A plane through the origin has to separate them; a constant feature makes
        it any plane. Features that are large against their differences leave little margin; center
        them.
    labels : array_like, shape (n,)
        −1 or 1.

    Returns
    -------
    ndarray, shape (p,)
        Weights; their direction has the largest margin, 1/‖w‖.

    Raises
    ------
    ValueError
        If there is not one label a row, a label is another number, or no plane separates the cases
        by more than 10⁻⁵ of the length of the longest: below that rounding would decide.

    Notes
    -----
    With rows :math:`z_i = y_i x_i`, the problem is a least-squares problem with nonnegative
    unknowns: if u minimizes :math:`\norm{Z^\T u}^2 + (1^\T u - 1)^2`, then
    :math:`w = Z^\T u / (1 - 1^\T u)`. The cases with u > 0 are the support vectors. If u can make
    both terms 0, zero is a mean of rows, and no plane has all of them on one side.

    Implements :eq:`eq-max-margin`.

    References
    ----------
    C. L. Lawson and R. J. Hanson (1974), Solving Least Squares Problems, chapter 23.

    Examples
    --------
    >>> from primer_ref.generalization import max_margin_solution
    >>> print(max_margin_solution([[2.0, 0.0], [0.0, 2.0], [5.0, 5.0]], [1, 1, 1]).round(6))
    [0.5 0.5]
    """
    z = _signed(x, labels)
    size = float(np.max(np.linalg.norm(z, axis=1)))
    if not size > 0:
        raise ValueError("a plane must separate the cases; got cases that are all zero")
    z = z / size
    u = _nonnegative_least_squares(np.vstack([z.T, np.ones(len(z))]), np.eye(z.shape[1] + 1)[-1])
    slack = 1 - float(np.sum(u))
    if not slack > 1e-10:
        raise ValueError(
            "a plane through the origin must separate the cases by more than 1e-5 of the longest; "
            "got none that does"
        )
    solution: Floats = z.T @ u / slack / size
    return solution


def logistic_descent(
    x: ArrayLike, labels: ArrayLike, *, step: float, times: Sequence[int]
) -> Floats:
    r"""Descend the logistic loss from zero, :math:`\sum_i \log(1 + e^{-y_i x_i \cdot w})`.

    Parameters
    ----------
    x : array_like, shape (n, p)
        Cases, one a row.
    labels : array_like, shape (n,)
        −1 or 1.
    step : float
        Step size η, below :math:`8/\sigma_{\max}^2(X)`.
    times : sequence of int
        Numbers of steps after which to look, not falling.

    Returns
    -------
    ndarray, shape (len(times), p)
        Weights at those times.

    Raises
    ------
    ValueError
        If there is not one label a row, a label is another number, the step is not positive, or the
        times are negative or fall.

    Notes
    -----
    If a plane separates the cases, the loss has no minimum and the weights grow without end. With ŵ
    from `max_margin_solution`, :math:`w(t) = \hat w \log t + O(1)` for almost all data: the norm
    grows like log t, the loss falls like 1/t, and the direction comes near that of ŵ only like
    1/log t. The size of the step does not matter for the limit, below the bound.

    Implements :eq:`eq-logistic-descent`.

    References
    ----------
    D. Soudry, E. Hoffer, M. S. Nacson, S. Gunasekar and N. Srebro (2018), The Implicit Bias of
    Gradient Descent on Separable Data, theorem 3.

    Examples
    --------
    >>> from primer_ref.generalization import logistic_descent
    >>> print(logistic_descent([[1.0]], [1], step=1.0, times=[10, 100, 1000]).round(2))
    [[2.26]
     [4.59]
     [6.91]]
    """
    z = _signed(x, labels)
    if list(times) != sorted(times):
        raise ValueError(f"times must not fall; got {list(times)}")
    check_positive(step, "step")
    check_nonnegative(min(times, default=0), "times")
    w, at, seen = np.zeros(z.shape[1]), 0, []
    for time in times:
        for _ in range(time - at):
            w = w + step * (z.T @ sigmoid(-(z @ w)))
        at = time
        seen.append(w)
    return np.reshape(seen, (-1, z.shape[1]))
