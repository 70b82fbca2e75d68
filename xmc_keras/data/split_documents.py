"""Split of the training documents by a config."""

import numpy as np

from xmc_keras.bad_input import BadInput
from xmc_keras.data.splits import validation_split


def split_documents(config, num_documents):
    """Draws the training and validation documents of a config.

    Args:
        config: `Config`. Its `validation_documents` are drawn first, then its
            `train_documents` from the rest, both with `split_seed`, or with `seed` if
            that is null.
        num_documents: int. Number of documents of the training part.

    Returns:
        `(train_indices, validation_indices)`, int64 arrays, sorted, disjoint.

    Raises:
        BadInput: there are too few documents.
    """
    seed = config.seed if config.split_seed is None else config.split_seed
    rest, held_out = validation_split(num_documents, config.validation_documents, seed)
    if config.train_documents is None:
        return rest, held_out
    if config.train_documents > len(rest):
        raise BadInput(
            "Expected train_documents to be at most the number of documents left by "
            f"the validation split, {len(rest)}. Received: {config.train_documents}."
        )
    order = np.random.default_rng([seed, 1]).permutation(rest)
    return np.sort(order[: config.train_documents]), held_out
