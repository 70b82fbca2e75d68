"""Label names and scores of raw texts."""

import weakref

import numpy as np
import tensorflow as tf

from xmc_keras.data.document_batches import DocumentBatches
from xmc_keras.data.token_cache import TokenCache
from xmc_keras.text.text_tokenizer import TextTokenizer

# The tokenizer and the graph of each model, because tracing them takes seconds.
_text_tokenizers = weakref.WeakKeyDictionary()
_graphs = weakref.WeakKeyDictionary()


def recommend(model, texts, k=5, batch_size=64):
    """Label names and scores of raw texts; a `LightXML` has it as a method.

    Texts are sorted by length, so that batches are short or long and hardly padded.
    The model is traced once, for all shapes.

    Args:
        model: a `LightXML` with a tokenizer and label names.
        texts: list of strings.
        k: int. Labels a text, at most the model's `num_predictions`. Defaults to `5`.
        batch_size: int. Texts computed at a time. Defaults to `64`.

    Returns:
        A list for each text of `(name, score)`, best first. Scores are probabilities
        in [0, 1].

    Raises:
        ValueError: the model has no tokenizer or no label names, `texts` is not a
            list of strings, or `k` is out of range.
    """
    if model.tokenizer is None or model.label_set is None:
        raise ValueError(
            "Expected a model with `tokenizer` and `label_names` to recommend from "
            "raw text. Received: a model without. Give them to `LightXML` or use "
            "`predict` on token ids."
        )
    if not (
        isinstance(texts, (list, tuple)) and all(isinstance(t, str) for t in texts)
    ):
        raise ValueError(
            f"Expected `texts` to be a list of strings. Received: {texts!r:.100}"
        )
    if not 1 <= k <= model.num_predictions:
        raise ValueError(
            "Expected `k` between 1 and the model's `num_predictions`. "
            f"Received: k={k}, num_predictions={model.num_predictions}"
        )
    if not len(texts):
        return []
    tokenizer = _text_tokenizers.get(model)
    if tokenizer is None or tokenizer.max_tokens != model.max_tokens:
        tokenizer = TextTokenizer(model.tokenizer, model.max_tokens)
        _text_tokenizers[model] = tokenizer
    batches = DocumentBatches(
        TokenCache(*tokenizer(list(texts))),
        None,
        batch_size,
        pad_id=tokenizer.pad_id,
        shuffle=False,
    )
    label_ids, scores = [], []
    for x in batches.batches():
        found = _graph(model, x)(x["token_ids"], x["padding_mask"])
        label_ids.append(found[0][:, :k].numpy())
        scores.append(found[1][:, :k].numpy())
    label_ids = batches.restore(np.concatenate(label_ids))  # (documents, k)
    scores = batches.restore(np.concatenate(scores))
    names = model.label_set.names
    return [
        [(names[i], float(s)) for i, s in zip(row, row_scores) if i >= 0]
        for row, row_scores in zip(label_ids, scores)
    ]


def _graph(model, x):
    """What `model.predict` computes, without its pipeline.

    A pipeline takes longer to start than a text to answer.
    """
    if model not in _graphs:
        if not model.built:
            model(x, training=False)
        # The graph must not keep the model, whose entry it is, alive.
        reference = weakref.ref(model)

        @tf.function(
            input_signature=[
                tf.TensorSpec([None, None], tf.int32),
                tf.TensorSpec([None, None], tf.bool),
            ],
            autograph=False,
        )
        def graph(token_ids, padding_mask):
            x = {"token_ids": token_ids, "padding_mask": padding_mask}
            model = reference()
            outputs = model.rank(model.encoder(x, training=False))
            return outputs["label_ids"], outputs["scores"]

        _graphs[model] = graph
    return _graphs[model]
