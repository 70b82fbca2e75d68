"""A model's answers to documents."""

from xmc_keras.recommending.calibration.held_out_answers import HeldOutAnswers


def answer_documents(model, documents, config=None, cache=None):
    """Ranks labels for documents that a model has not learnt from.

    Args:
        model: a `Recommender` with label names.
        documents: `Documents` or `FeatureDocuments`.
        config: optional `Config` with batch size and padding.
        cache: optional folder of token ids, see `TokenCache`.

    Returns:
        `HeldOutAnswers`.
    """
    from xmc_keras.data.inputs import build_inputs

    batches = build_inputs(model, documents.texts, config=config, cache=cache)
    found = model.predict(batches.dataset(), verbose=0)
    return HeldOutAnswers(
        batches.restore(found["predicted_ids"]),
        batches.restore(found["scores"]),
        model.label_set.encode(documents.labels),
    )
