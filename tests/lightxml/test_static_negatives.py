import numpy as np

from xmc_keras.encoders.multi_layer_cls_encoder import MultiLayerCLSEncoder
from xmc_keras.lightxml.cluster_generator import ClusterGenerator
from xmc_keras.lightxml.lightxml import LightXML
from xmc_keras.lightxml.static_negatives import find_top_clusters


def test_static_negatives_are_the_best_clusters_of_each_document_in_order(backbone):
    clusters = np.arange(6).reshape(6, 1)
    model = LightXML(
        MultiLayerCLSEncoder(backbone, 2, dropout=0.5), ClusterGenerator(clusters, 3)
    )
    ids = np.random.default_rng(0).integers(1, 40, (5, 7)).astype("int32")
    x = {"token_ids": ids, "padding_mask": ids > 0}
    logits = np.asarray(model(x)["cluster_logits"])
    parts = [{k: v[a:b] for k, v in x.items()} for a, b in [(0, 2), (2, 5)]]
    expected = np.argsort(-logits, axis=1)[:, :3]
    assert find_top_clusters(model, parts).tolist() == expected.tolist()
    assert find_top_clusters(model, [(x, ids)]).tolist() == expected.tolist()
