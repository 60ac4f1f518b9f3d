r"""Estimators of a divergence from samples, and what happens when they are differentiated.

Samples come from the policy π, and the divergence is :math:`\KL{\pi}{\pi_0}`, called the reverse
one because the policy is what is fitted. With :math:`\ell = \log(\pi_0/\pi)` at a sample the three
estimators are −ℓ, ℓ²/2 and :math:`e^\ell - 1 - \ell`. What is true of their values is not true of
their gradients: the mean of a gradient, over samples from the very policy that is differentiated,
leaves out how the samples would change.

========= ========================= ============ =======================================
Estimator Value                     Bias         Mean gradient, differentiated as a loss
========= ========================= ============ =======================================
k₁        −ℓ                        none         0
k₂        ℓ²/2                      third order  that of KL(π ‖ π₀), exactly
k₃        :math:`e^\ell - 1 - \ell` none         that of KL(π₀ ‖ π), the other divergence
========= ========================= ============ =======================================

For k₃ both need that the policy can give whatever the reference can.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from primer_ref.functional import as_floats

__all__ = ["kl_k1", "kl_k2", "kl_k3", "log_ratio"]

Floats = NDArray[np.floating[Any]]


def log_ratio(log_p: ArrayLike, log_q: ArrayLike) -> Floats:
    r"""Logarithm of a ratio of probabilities, :math:`\log p - \log q`.

    Parameters
    ----------
    log_p : array_like, shape (...)
        Logarithms of probabilities of the samples under one law.
    log_q : array_like, shape (...)
        Logarithms of their probabilities under another.

    Returns
    -------
    ndarray, shape (...)
        Nats.

    Raises
    ------
    ValueError
        If the shapes differ, there are no samples, or a number is above 0 or not finite: then it
        is no log-probability, but perhaps a probability.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.kl_estimators import log_ratio
    >>> print(log_ratio(np.log([0.5, 0.5]), np.log([0.25, 0.75])).round(4))
    [ 0.6931 -0.4055]
    """
    log_p, log_q = as_floats(log_p), as_floats(log_q)
    if log_p.shape != log_q.shape or log_p.size == 0:
        raise ValueError(
            "there must be two log-probabilities a sample, and some samples; "
            f"got shapes {log_p.shape} and {log_q.shape}"
        )
    for row in (log_p, log_q):
        bad = ~((row <= 0) & np.isfinite(row))
        if np.any(bad):
            raise ValueError(
                f"log-probabilities must be finite and at most 0; got {row[bad][0]}: "
                "is it a probability?"
            )
    return log_p - log_q


def kl_k1(log_policy: ArrayLike, log_reference: ArrayLike) -> Floats:
    r"""Estimate a divergence by the log-ratio itself, :math:`k_1 = \log(\pi/\pi_0)`.

    Parameters
    ----------
    log_policy : array_like, shape (...)
        Log-probabilities of the samples under the policy π that drew them.
    log_reference : array_like, shape (...)
        Those under the reference π₀.

    Returns
    -------
    ndarray, shape (...)
        One estimate a sample, in nats; of either sign.

    Raises
    ------
    ValueError
        If the shapes differ or are empty, or a log-probability is above 0 or not finite.

    Notes
    -----
    Unbiased. As a loss it teaches nothing: :math:`\E_\pi \nabla\log\pi = 0`. As part of the reward,
    which is not differentiated, it gives the gradient of the reverse divergence.

    Implements :eq:`eq-kl-estimators`.

    References
    ----------
    J. Schulman (2020), Approximating KL Divergence. Y. Tang and R. Munos (2025), On a Few Pitfalls
    in KL Divergence Gradient Estimation for RL.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.kl_estimators import kl_k1
    >>> print(kl_k1(np.log([0.5, 0.5]), np.log([0.25, 0.75])).round(4))
    [ 0.6931 -0.4055]
    """
    return log_ratio(log_policy, log_reference)


def kl_k2(log_policy: ArrayLike, log_reference: ArrayLike) -> Floats:
    r"""Estimate a divergence by half the squared log-ratio, :math:`k_2 = \ell^2/2`.

    Parameters
    ----------
    log_policy : array_like, shape (...)
        Log-probabilities of the samples under the policy π that drew them.
    log_reference : array_like, shape (...)
        Those under the reference π₀.

    Returns
    -------
    ndarray, shape (...)
        One estimate a sample, in nats², at least 0.

    Raises
    ------
    ValueError
        If the shapes differ or are empty, or a log-probability is above 0 or not finite.

    Notes
    -----
    Biased, by a term of third order in ℓ. Its mean gradient as a loss is that of the reverse
    divergence all the same: :math:`\E_\pi[-\ell\,\nabla\log\pi]`.

    Implements :eq:`eq-kl-estimators`.

    References
    ----------
    J. Schulman (2020), Approximating KL Divergence. Y. Tang and R. Munos (2025), On a Few Pitfalls
    in KL Divergence Gradient Estimation for RL.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.kl_estimators import kl_k2
    >>> print(kl_k2(np.log([0.5, 0.5]), np.log([0.25, 0.75])).round(4))
    [0.2402 0.0822]
    """
    value: Floats = log_ratio(log_policy, log_reference) ** 2 / 2
    return value


def kl_k3(log_policy: ArrayLike, log_reference: ArrayLike) -> Floats:
    r"""Estimate a divergence with a control variate, :math:`k_3 = e^\ell - 1 - \ell`.

    Parameters
    ----------
    log_policy : array_like, shape (...)
        Log-probabilities of the samples under the policy π that drew them.
    log_reference : array_like, shape (...)
        Those under the reference π₀.

    Returns
    -------
    ndarray, shape (...)
        One estimate a sample, in nats, at least 0.

    Raises
    ------
    ValueError
        If the shapes differ or are empty, or a log-probability is above 0 or not finite.

    Notes
    -----
    Unbiased where the policy can give whatever the reference can, for then
    :math:`\E_\pi e^\ell = 1`; reference mass that the policy never draws is missing from the
    estimate. The exponential can make its variance infinite. Its mean gradient as a loss,
    :math:`\E_\pi[(1 - e^\ell)\nabla\log\pi] = -\E_{\pi_0}\nabla\log\pi`, is that of the forward
    divergence :math:`\KL{\pi_0}{\pi}`.

    Implements :eq:`eq-kl-estimators`.

    References
    ----------
    J. Schulman (2020), Approximating KL Divergence. Y. Tang and R. Munos (2025), On a Few Pitfalls
    in KL Divergence Gradient Estimation for RL.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.kl_estimators import kl_k3
    >>> print(kl_k3(np.log([0.5, 0.5]), np.log([0.25, 0.75])).round(4))
    [0.1931 0.0945]
    """
    ell = log_ratio(log_reference, log_policy)
    value: Floats = np.expm1(ell) - ell
    return value
