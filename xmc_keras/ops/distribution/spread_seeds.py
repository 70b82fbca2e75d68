"""Random seeds that differ by replica."""

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
        for place, part in enumerate(parts):
            part.assign(first + [_replica(strategy, place), 0])


def _replica(strategy, place):
    """The index of a local replica among all."""
    local = len(strategy.extended.worker_devices)
    resolver = strategy.cluster_resolver
    index = getattr(resolver, "task_id", None) or 0
    return index * local + place
