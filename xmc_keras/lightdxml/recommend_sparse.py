"""Label names and scores of raw texts, by a model that reads words."""

from xmc_keras.data.sparse_document_batches import SparseDocumentBatches


def recommend_sparse(model, texts, k=5, batch_size=64):
    """Label names and scores of raw texts; a `LightDXML` has it as a method.

    As `recommend`, for a model with a `WordVectorizer` in place of a tokenizer.

    Args:
        model: a `LightDXML` with a vectorizer and label names.
        texts: list of strings.
        k: int. Labels a text, at most the model's `num_predictions`. Defaults to `5`.
        batch_size: int. Texts computed at a time. Defaults to `64`.

    Returns:
        A list for each text of `(name, score)`, best first.

    Raises:
        ValueError: the model has no label names, `texts` is not a list of strings, or
            `k` is out of range.
    """
    if model.label_set is None:
        raise ValueError(
            "Expected a model with `vectorizer` and `label_names` to recommend from "
            "raw text. Received: a model without. Give them to `LightDXML` or use "
            "`predict` on token ids and weights."
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
    features = model.vectorizer.transform(list(texts))
    batches = SparseDocumentBatches(features, None, batch_size, shuffle=False)
    found = model.predict(batches.dataset(), verbose=0)
    label_ids = batches.restore(found["label_ids"])[:, :k]  # (documents, k)
    scores = batches.restore(found["scores"])[:, :k]
    names = model.label_set.names
    return [
        [(names[i], float(s)) for i, s in zip(row, row_scores)]
        for row, row_scores in zip(label_ids, scores)
    ]
