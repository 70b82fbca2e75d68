"""Label names and scores of raw texts."""

import weakref

from xmc_keras.document_batches import DocumentBatches
from xmc_keras.text_tokenizer import TextTokenizer
from xmc_keras.token_cache import TokenCache

# The tokenizer of each model, because tracing its graphs takes a second.
_text_tokenizers = weakref.WeakKeyDictionary()


def recommend(model, texts, k=5, batch_size=64):
    """Label names and scores of raw texts; a `LightXML` has it as a method.

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
    if model not in _text_tokenizers:
        _text_tokenizers[model] = TextTokenizer(model.tokenizer, model.max_tokens)
    tokenizer = _text_tokenizers[model]
    batches = DocumentBatches(
        TokenCache(*tokenizer(list(texts))),
        None,
        batch_size,
        pad_id=tokenizer.pad_id,
        shuffle=False,
    )
    found = model.predict(batches.dataset(), verbose=0)
    label_ids = batches.restore(found["label_ids"])[:, :k]  # (documents, k)
    scores = batches.restore(found["scores"])[:, :k]
    names = model.label_set.names
    return [
        [(names[i], float(s)) for i, s in zip(row, row_scores) if i >= 0]
        for row, row_scores in zip(label_ids, scores)
    ]
