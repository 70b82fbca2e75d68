"""The documents of the training part that a run trains on, and that it holds back."""

import numpy as np

from xmc_keras.bad_input import BadInput
from xmc_keras.data.splits import validation_split


def split_documents(config, num_documents):
    """Draws what a config trains on and validates by.

    Args:
        config: `Config`. Its `validation_documents` are held back first, its
            `train_documents` drawn from the rest, both by `split_seed`, or by `seed`
            where that is null.
        num_documents: int. Documents of the training part.

    Returns:
        `(train_indices, validation_indices)`, int64, sorted, disjoint.
    """
    seed = config.seed if config.split_seed is None else config.split_seed
    rest, held_out = validation_split(num_documents, config.validation_documents, seed)
    if config.train_documents is None:
        return rest, held_out
    if config.train_documents > len(rest):
        raise BadInput(
            "Expected train_documents to be at most the training documents that the "
            f"validation split leaves, {len(rest)}. Received: "
            f"{config.train_documents}."
        )
    drawn = np.random.default_rng([seed, 1]).permutation(rest)
    return np.sort(drawn[: config.train_documents]), held_out
