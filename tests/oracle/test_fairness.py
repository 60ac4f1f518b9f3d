"""Rates of a confusion matrix, and calibration, against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest

from primer_ref.fairness import calibration_residuals, confusion_rates

from .conftest import Compare

metrics = pytest.importorskip("sklearn.metrics")
calibration = pytest.importorskip("sklearn.calibration")


def test_rates_agree_with_scikit_learn(compare: Compare) -> None:
    rng = np.random.default_rng(0)
    labels, decisions = rng.random(80) < 0.4, rng.random(80) < 0.5
    tn, fp, fn, tp = metrics.confusion_matrix(labels, decisions).ravel()
    rates = confusion_rates(labels, decisions)
    ours = [rates.base_rate, rates.fpr, rates.fnr]
    theirs = [(tp + fn) / 80, fp / (fp + tn), fn / (fn + tp)]
    compare(confusion_rates, "sklearn.metrics.confusion_matrix", ours, theirs, 1e-15)
    precision = metrics.precision_score(labels, decisions)
    compare(confusion_rates, "sklearn.metrics.precision_score", rates.ppv, precision, 1e-15)


def test_residuals_agree_with_a_calibration_curve(compare: Compare) -> None:
    rng = np.random.default_rng(1)
    scores = rng.choice([0.125, 0.375, 0.625, 0.875], size=200)
    labels = rng.random(200) < scores**2
    true, predicted = calibration.calibration_curve(labels, scores, n_bins=4)
    ours = calibration_residuals(scores, labels)
    call = "sklearn.calibration.calibration_curve"
    compare(calibration_residuals, call, ours, true - predicted, 1e-15)
