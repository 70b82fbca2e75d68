"""Random seeds that differ by replica."""

from xmc_keras.ops.distribution.replicas import local_replicas

SEED = "seed_generator_state"
SHARED = "negatives"  # drawn by all replicas together, see `LightDXML`


def spread_seeds(model):
    """Gives the dropout of each replica a seed of its own.

    Replica `r` adds `r` to the seeds of the first: a state that the first has saved is
    that of all of them. Without a strategy nothing changes.

    Args:
        model: a built Keras model.
    """
    strategy = model.distribute_strategy
    if strategy.num_replicas_in_sync == 1:
        return
    for variable in model.non_trainable_variables:
        if not variable.path.endswith(SEED) or SHARED in variable.path:
            continue
        parts = strategy.experimental_local_results(variable.value)
        first = parts[0].numpy()
        for replica, part in zip(local_replicas(strategy), parts):
            part.assign(first + [replica, 0])
