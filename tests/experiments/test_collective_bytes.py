"""The bytes of collectives and parallel steps: small cases by hand, and what was stored."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from experiments import collective_bytes, record
from primer_ref.pipeline_schedules import Task

STORED: dict[str, Any] = record.load("collective_bytes")
STEPS = {(step["name"], step["numbers"]): step for step in STORED["steps"]}


def rows(table: dict[str, Any]) -> list[dict[str, Any]]:
    """Turn a table of columns into its rows."""
    columns = {key: column for key, column in table.items() if isinstance(column, list)}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


# --- By hand ---------------------------------------------------------------------------------


def test_the_difference_is_the_largest_over_the_largest_entry_of_its_array() -> None:
    ours = [np.array([1.0, 4.0]), np.array([100.0])]
    theirs = [np.array([1.5, -5.0]), np.array([110.0])]
    assert collective_bytes.difference(ours, theirs) == 9 / 5
    assert collective_bytes.difference(ours, ours) == 0


def test_three_devices_with_four_numbers_send_what_was_counted_by_hand() -> None:
    # Parts hold 1, 1 and 2 numbers of 4 bytes; a device sends all parts but one.
    tables = collective_bytes.collectives([3], [4])
    assert tables["all_gather"]["total"] == tables["reduce_scatter"]["total"] == [2 * 16]
    assert tables["all_reduce"]["total"] == [64]
    assert tables["reduce_scatter"]["most"] == [4 + 8]
    assert tables["broadcast"]["most"] == [2 * 16]
    assert tables["broadcast"]["rounds"] == [2]
    assert tables["all_reduce"]["rounds"] == [4]


def test_one_device_does_whole_micro_batches_in_turn() -> None:
    tasks = collective_bytes.in_turn(2, 2)
    first = [Task(0, 0), Task(1, 0), Task(1, 0, True), Task(0, 0, True)]
    assert tasks[:4] == first
    assert len(set(tasks)) == len(tasks) == 8
    # Of a micro-batch's four tasks, two have a result that the other stage waits for.
    assert [collective_bytes.sends(task, 1) for task in first] == [True, False, True, False]


def test_sums_by_device_are_wrong_by_what_the_exact_sum_says() -> None:
    table = collective_bytes.order([1, 5], n=7)
    terms = np.random.default_rng(collective_bytes.SEED).normal(size=(64, 7)).astype(np.float32)
    one = [terms[0, j] for j in range(7)]
    for row in terms[1:]:
        one = [a + b for a, b in zip(one, row, strict=True)]
    exact = [math.fsum(terms[:, j].astype(float)) for j in range(7)]
    sizes = [math.fsum(np.abs(terms[:, j]).astype(float)) for j in range(7)]
    errors = [abs(float(a) - b) / c for a, b, c in zip(one, exact, sizes, strict=True)]
    assert table["error"][0] == pytest.approx(max(errors), rel=1e-6)
    gamma = 63 * 2**-24 / (1 - 63 * 2**-24)
    assert table["bound"][0] == pytest.approx(gamma, rel=1e-3)


# --- It comes out again ----------------------------------------------------------------------


def test_a_part_of_the_stored_counts_comes_out_again() -> None:
    fresh = collective_bytes.collectives([3, 64], [1000])
    for name, table in fresh.items():
        stored = {
            (row["devices"], row["elements"]): row for row in rows(STORED["collectives"][name])
        }
        for row in rows(record.plain(table)):
            assert row == stored[row["devices"], row["elements"]]


def test_a_part_of_the_stored_steps_comes_out_again() -> None:
    for fresh in record.plain(collective_bytes.steps([1, 3])):
        stored = {row["devices"]: row for row in rows(STEPS[fresh["name"], fresh["numbers"]])}
        for row in rows(fresh):
            other = stored[row["devices"]]
            assert row.keys() == other.keys()
            for key in row.keys() - {"equal"}:
                assert row[key] == pytest.approx(other[key], abs=1e-5), (fresh["name"], key)


def test_the_stored_bubbles_come_out_again() -> None:
    fresh = record.plain(collective_bytes.bubbles([4], [8]))
    stored = [row for row in STORED["bubbles"] if (row["devices"], row["microbatches"]) == (4, 8)]
    assert fresh == stored


def test_the_stored_order_of_sums_comes_out_again() -> None:
    fresh = record.plain(collective_bytes.order([8]))
    stored = {row["devices"]: row for row in rows(STORED["order"])}
    assert rows(fresh) == [pytest.approx(stored[8], abs=2e-3)]


# --- What was stored -------------------------------------------------------------------------


def test_all_counted_bytes_and_rounds_are_those_of_the_formulas() -> None:
    tables = [*STORED["collectives"].values(), *STORED["steps"]]
    assert sum(len(rows(table)) for table in tables) > 250
    for table in tables:
        for row in rows(table):
            assert row["total"] == row["total_formula"]
            assert row["rounds"] == row["rounds_formula"]


def test_the_formulas_are_the_textbooks() -> None:
    for name, factor in [("reduce_scatter", 1), ("all_gather", 1), ("all_reduce", 2)]:
        for row in rows(STORED["collectives"][name]):
            p, n_bytes = row["devices"], 4 * row["elements"]
            assert row["each_formula"] == pytest.approx(factor * (p - 1) / p * n_bytes, rel=1e-5)
            assert row["total"] == factor * (p - 1) * n_bytes
            assert row["most"] < 2 * n_bytes


def test_a_device_sends_its_share_where_parts_are_equal_and_little_more_elsewhere() -> None:
    uneven = 0
    for name, table in STORED["collectives"].items():
        for row in rows(table):
            if row["elements"] % row["devices"] == 0 or name == "broadcast":
                assert row["most"] == row["each_formula"]
            else:
                uneven += 1
                # No device misses its largest part: each phase is off by less than a number.
                assert 0 <= row["most"] - row["each_formula"] < (8 if name == "all_reduce" else 4)
    assert uneven


def test_steps_in_whole_numbers_are_those_of_one_device_to_the_last_bit() -> None:
    whole = [step for (_, numbers), step in STEPS.items() if numbers == "whole"]
    assert {step["name"] for step in whole} == {"tensor_mlp", "zero_2", "zero_3", "experts"}
    for step in [*whole, STEPS["pipeline", "float32"], STEPS["pipeline", "float64"]]:
        assert all(step["equal"])
        assert not any(step["difference"])
    for (name, _), step in STEPS.items():
        if name.startswith("zero"):
            assert all(step["equal_in_ring_order"])


def test_other_steps_differ_by_rounding_alone() -> None:
    for (name, numbers), step in STEPS.items():
        unit = 2**-24 if numbers == "float32" else 2**-53
        for row in rows(step):
            assert row["difference"] < 40 * unit, (name, numbers)
            assert row["equal"] == (row["difference"] == 0)
            assert row.get("whole_batch", 0) < 40 * unit
    many = [step["difference"][-1] for (_, numbers), step in STEPS.items() if numbers == "float32"]
    assert sum(value > 0 for value in many) >= 6  # summation order does show


def test_averages_of_averages_are_wrong_where_devices_have_unequal_shares() -> None:
    table = STEPS["data", "float64"]
    for row in rows(table):
        even = STORED["windows"] % row["devices"] == 0
        assert (row["unweighted"] < 1e-14) == even
        assert even or row["unweighted"] > 1e-3


def test_the_third_stage_sends_half_as_much_again_and_the_state_is_cut() -> None:
    for numbers in ("float32", "float64", "whole"):
        two, three = STEPS["zero_2", numbers], STEPS["zero_3", numbers]
        assert [2 * total for total in three["total"]] == [3 * total for total in two["total"]]
        assert three["state"] == two["state"]
        assert two["state"] == two["state_formula"]  # all numbers of devices divide 48 rows


def test_bubbles_are_those_of_the_formulas() -> None:
    for row in STORED["bubbles"]:
        p, m, v = row["devices"], row["microbatches"], row["chunks"]
        assert row["overhead"] == pytest.approx((p - 1) / (v * m), rel=1e-5)
        assert row["overhead"] == pytest.approx(row["overhead_formula"], rel=1e-5)
        # A share of the time is that of the ideal over one more than it.
        assert row["idle"] == pytest.approx(row["overhead"] / (1 + row["overhead"]), rel=1e-4)
        if row["schedule"] == "gpipe":
            assert row["stored"] == m
        if row["schedule"] == "1f1b":
            assert row["stored"] == min(p, m)
            assert row["idle"] == pytest.approx(row["idle_formula"], rel=1e-5)


def test_another_number_of_devices_changes_most_bits_and_keeps_the_bound() -> None:
    one, *others = rows(STORED["order"])
    assert (one["devices"], one["changed"]) == (1, 0)
    for row in others:
        assert row["changed"] > 0.5
        assert row["error"] < row["bound"]
