"""Word vectors and projections against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest

from primer_ref.embeddings import cosine_similarity, nearest_neighbors, truncated_svd
from primer_ref.projections import jl_dimension

from .conftest import Compare

sklearn = pytest.importorskip("sklearn")


def test_minimum_dimensions(compare: Compare) -> None:
    projection = pytest.importorskip("sklearn.random_projection")
    n, eps = np.meshgrid([10, 10**3, 10**5, 10**7], [0.05, 0.3, 0.9])
    theirs = projection.johnson_lindenstrauss_min_dim(n.ravel(), eps=eps.ravel())
    ours = [int(jl_dimension(*case)) for case in zip(n.ravel(), eps.ravel(), strict=True)]
    compare(
        jl_dimension, "sklearn.random_projection.johnson_lindenstrauss_min_dim", ours, theirs, 0
    )


def test_cosines_and_neighbors(compare: Compare) -> None:
    pairwise = pytest.importorskip("sklearn.metrics.pairwise")
    neighbors = pytest.importorskip("sklearn.neighbors")
    vectors = np.random.default_rng(0).normal(size=(50, 8))
    theirs = pairwise.cosine_similarity(vectors, vectors[:7])
    call = "sklearn.metrics.pairwise.cosine_similarity"
    compare(cosine_similarity, call, cosine_similarity(vectors, vectors[:7]), theirs, 1e-14)
    search = neighbors.NearestNeighbors(n_neighbors=6, metric="cosine").fit(vectors)
    theirs = search.kneighbors(vectors)[1][:, 1:]
    ours = [nearest_neighbors(vectors, word, 5).words for word in range(50)]
    compare(nearest_neighbors, "sklearn.neighbors.NearestNeighbors", ours, theirs, 0)


def test_projections_on_singular_vectors(compare: Compare) -> None:
    decomposition = pytest.importorskip("sklearn.decomposition")
    matrix = np.random.default_rng(1).normal(size=(30, 20))
    other = decomposition.TruncatedSVD(5, algorithm="arpack")
    theirs = other.fit_transform(matrix)
    ours = truncated_svd(matrix, 5, power=1.0).words
    ours = ours * np.sign(np.sum(ours * theirs, axis=0))  # each dimension may be turned
    compare(truncated_svd, "sklearn.decomposition.TruncatedSVD", ours, theirs, 1e-12)
