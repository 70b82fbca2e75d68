"""A small data set that can be learnt in seconds, and an encoder for it."""

import numpy as np
import yaml

# A LightDXML that learns such data in seconds.
WORDS_RECIPE = {
    "system": "lightdxml",
    "encoder": "words",
    "validation_documents": 30,
    "embedding_dim": 16,
    "epochs": 4,
    "refresh": 2,
    "proxy_epochs": 2,
    "batch_size": 16,
    "num_neighbors": 12,
    "num_predictions": 10,
}
WORDS = {f"label{i:02d}": [f"word{i}a", f"word{i}b", f"word{i}c"] for i in range(20)}


def write_part(folder, part, num_documents, seed):
    """Documents with one to four labels, each shown by two words of its own."""
    rng = np.random.default_rng(seed)
    names, share = list(WORDS), 1 / np.arange(3, 3 + len(WORDS))
    texts, labels = [], []
    for i in range(num_documents):
        size = rng.integers(1, 4)
        chosen = set(rng.choice(names, size, replace=False, p=share / share.sum()))
        chosen.add(names[i % len(names)])  # so that no label is unseen
        words = [word for name in sorted(chosen) for word in rng.choice(WORDS[name], 2)]
        texts.append(" ".join(rng.permutation(words)))
        labels.append(" ".join(sorted(chosen)))
    (folder / f"{part}_texts.txt").write_text("\n".join(texts) + "\n")
    (folder / f"{part}_labels.txt").write_text("\n".join(labels) + "\n")


def write_words_recipe(folder, data, **keys):
    """Writes `WORDS_RECIPE`, changed by some keys, for a folder of data."""
    path = folder / "words.yaml"
    path.write_text(yaml.safe_dump(WORDS_RECIPE | {"data": str(data)} | keys))
    return path


def write_tiny_encoder(folder, words=None, **sizes):
    """A keras-nlp preset of a BERT over `words`, those of `WORDS` by default."""
    import keras
    import keras_nlp

    from tests.helpers.tiny_bert import tiny_bert

    words = words or [word for words in WORDS.values() for word in words]
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]
    usual = {"hidden_dim": 32, "intermediate_dim": 64, "max_sequence_length": 32}
    sizes = {"vocabulary_size": len(vocabulary), "dropout": 0.1, **usual, **sizes}
    backbone = tiny_bert(**sizes)
    # Words far apart, as after pretraining: the model learns in three epochs.
    embeddings = backbone.token_embedding.embeddings
    embeddings.assign(keras.random.normal(embeddings.shape, seed=0))
    backbone.save_to_preset(str(folder))
    keras_nlp.models.BertTokenizer(vocabulary).save_to_preset(str(folder))
