"""Arrays of the full sample and of every leave-one-cluster-out sample."""

import numpy as np

from didjack.leave_one_out import FULL_SAMPLE, Replicates, without


def test_full_sample_and_replicates_are_parts_of_one_array():
    stacked = np.arange(12.0).reshape(4, 3)
    theta = Replicates(stacked)
    assert theta.stacked is stacked
    np.testing.assert_array_equal(theta.full, stacked[0])
    np.testing.assert_array_equal(theta.deleted, stacked[1:])
    assert np.shares_memory(theta.full, stacked)
    assert np.shares_memory(theta.deleted, stacked)
    assert theta.n_deleted == 3


def test_the_full_sample_alone_has_no_replicates():
    alone = Replicates(np.arange(12.0).reshape(4, 3)).full_sample()
    np.testing.assert_array_equal(alone.stacked, [[0.0, 1.0, 2.0]])
    assert alone.n_deleted == 0
    assert alone.deleted.shape == (0, 3)


def test_columns_and_functions_keep_the_replicates():
    theta = Replicates(np.arange(12.0).reshape(4, 3))
    np.testing.assert_array_equal(theta.take([2, 0]).full, [2.0, 0.0])
    last = theta.take(-1)
    assert last.full == 2.0
    np.testing.assert_array_equal(last.deleted, [5.0, 8.0, 11.0])
    np.testing.assert_array_equal(theta.map(np.isnan).deleted, np.zeros((3, 3), dtype=bool))


def test_rows_of_replicates():
    stacked = np.arange(5.0)
    clusters = np.array([0, 3])
    np.testing.assert_array_equal(stacked[without(clusters)], Replicates(stacked).deleted[clusters])
    np.testing.assert_array_equal(stacked[FULL_SAMPLE], [Replicates(stacked).full])
