"""Paired tests against SciPy."""

import numpy as np
import pytest
from scipy import stats

from jdl.sweeps.compare import paired

FIRST = [0.91, 0.88, 0.93, 0.90, 0.89]
SECOND = [0.90, 0.85, 0.91, 0.90, 0.84]


def test_without_shared_rows_it_is_the_paired_t_test():
    found, wanted = paired(FIRST, SECOND, 1e-12), stats.ttest_rel(FIRST, SECOND)
    assert found.p_value == pytest.approx(wanted.pvalue)
    assert found.interval == pytest.approx(tuple(wanted.confidence_interval(0.95)))
    assert found.effect == pytest.approx(wanted.statistic / np.sqrt(5))
    assert found.wilcoxon == stats.wilcoxon(FIRST, SECOND).pvalue


def test_shared_rows_widen_the_error_as_nadeau_and_bengio_say():
    plain, found = paired(FIRST, SECOND, 1e-12), paired(FIRST, SECOND, 1 / 4)
    assert found.error / plain.error == pytest.approx(np.sqrt((1 / 5 + 1 / 4) / (1 / 5)))
    assert found.p_value == pytest.approx(2 * stats.t.sf(found.difference / found.error, 4))


def test_it_rejects_as_often_as_it_should():
    """Means of folds that share most of their noise, as cross-validation's do: the plain test is far off."""
    rng = np.random.default_rng(0)
    gaps = np.sqrt(0.2) * rng.normal(size=(300, 1)) + np.sqrt(0.8) * rng.normal(size=(300, 5))
    corrected, plain = (
        np.mean([paired(gap, np.zeros(5), ratio).p_value < 0.05 for gap in gaps]) for ratio in (0.25, 1e-12)
    )
    assert corrected == pytest.approx(0.05, abs=0.03)
    assert plain > 1.5 * corrected  # 0.136 in the long run


def test_equal_scores_do_not_differ():
    assert paired(FIRST, FIRST, 0.25)[:2] == (0, 0)
    assert paired(FIRST, FIRST, 0.25).p_value == 1
    assert paired([1.0, 2.0], [0.5, 1.5], 1.0).p_value == 0  # by the same in every fold


@pytest.mark.parametrize(
    ("first", "ratio", "message"),
    [
        ([1.0], 0.25, "need one of two folds at least"),
        (FIRST[:4], 0.25, r"have shapes \(4,\) and \(5,\)"),
        ([*FIRST[:4], np.nan], 0.25, "not all finite; compare configurations that were trained on all folds"),
        (FIRST, 0, "ratio and level: found 0"),
    ],
)
def test_bad_scores_are_named(first, ratio, message):
    with pytest.raises(ValueError, match=message):
        paired(first, SECOND if len(first) != 1 else [1.0], ratio)
