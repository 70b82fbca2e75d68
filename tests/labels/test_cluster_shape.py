import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

from xmc_keras.labels.label_clustering import cluster_labels, compute_cluster_shape


@settings(deadline=None, max_examples=60)
@given(num_labels=st.integers(1, 300), max_leaf=st.integers(1, 40))
def test_clusters_are_those_of_clustering(num_labels, max_leaf):
    features = scipy.sparse.eye(num_labels, 3, format="csr", dtype="f4")
    clusters = cluster_labels(features, max_leaf, num_threads=1)
    assert compute_cluster_shape(num_labels, max_leaf) == clusters.shape
