"""What comparisons refuse."""

from primer_ref.evaluation import (
    benjamini_hochberg,
    corrected_rate,
    holm,
    paired_difference,
    pass_at_k,
    pass_at_k_naive,
    questions_needed,
    sign_test,
    strided_windows,
    variance_of_answers,
)

ROWS = [
    (paired_difference, {"a": [1, 0], "b": [1, 0, 1]}, "same questions; got 2 and 3"),
    (paired_difference, {"a": [1, 0], "b": [1]}, "b must be a row of at least 2 scores"),
    (paired_difference, {"a": [1], "b": [1]}, "a must be a row of at least 2 scores"),
    (sign_test, {"wins": 0, "losses": 0}, "one above; got 0, 0"),
    (sign_test, {"wins": -1, "losses": 3}, "at least 0.* got -1, 3"),
    (questions_needed, {"difference": 0, "variance": 1}, "difference must not be 0.* got 0, 1"),
    (questions_needed, {"difference": 1, "variance": -1}, "variance not negative"),
    (questions_needed, {"difference": 1, "variance": 1, "power": 1}, r"power in \(0, 1\)"),
    (variance_of_answers, {"p": [0.5, 1.5], "n_answers": 1}, r"p must be in \[0, 1\]; got 1.5"),
    (variance_of_answers, {"p": [], "n_answers": 1}, r"at least 1 scores; got shape \(0,\)"),
    (variance_of_answers, {"p": [0.5], "n_answers": 0}, "n_answers must be at least 1; got 0"),
    (pass_at_k, {"n": 3, "c": 4, "k": 1}, "c must be from 0 to n .* got n=3, c=4, k=1"),
    (pass_at_k, {"n": 3, "c": 1, "k": 4}, "k from 1 to n; got n=3, c=1, k=4"),
    (pass_at_k_naive, {"n": 3, "c": 1, "k": 0}, "k from 1 to n; got n=3, c=1, k=0"),
    (holm, {"p_values": [0.5, 1.5]}, r"p_values must be in \[0, 1\]; got 1.5"),
    (holm, {"p_values": []}, r"at least 1 scores; got shape \(0,\)"),
    (benjamini_hochberg, {"p_values": [-0.1]}, r"p_values must be in \[0, 1\]; got -0.1"),
    (
        corrected_rate,
        {"observed": 1.2, "sensitivity": 1, "specificity": 1},
        r"observed must be in \[0, 1\]; got 1.2",
    ),
    (
        corrected_rate,
        {"observed": 0.5, "sensitivity": 0.5, "specificity": -1},
        r"^specificity must be in \[0, 1\]; got -1",
    ),
    (
        corrected_rate,
        {"observed": 0.5, "sensitivity": 0.5, "specificity": 0.5},
        "must tell right from wrong",
    ),
    (strided_windows, {"n_tokens": 0, "context": 4, "stride": 2}, "n_tokens must be at least 1"),
    (strided_windows, {"n_tokens": 9, "context": 4, "stride": 5}, "stride from 1 to context"),
    (strided_windows, {"n_tokens": 9, "context": 4, "stride": 0}, "stride from 1 to context"),
]
