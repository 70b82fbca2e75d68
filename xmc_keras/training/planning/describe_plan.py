"""The figures of a plan, and the limits of its config."""

from xmc_keras.config.resolve_config import check_levels
from xmc_keras.files.bad_input import BadInput
from xmc_keras.training.planning.check_memory import find_remedies
from xmc_keras.training.planning.one_vs_all_plan import check_block_labels
from xmc_keras.training.planning.traffic import count_received


def describe_plan(plan, room):
    """All figures of a plan, as one dictionary for JSON.

    Args:
        plan: a `LightXMLPlan` or `LightDXMLPlan`.
        room: dictionary of places to bytes, see `measure_free_memory`.

    Returns:
        Dictionary. Sizes are in GB of 10^9 bytes; `fits` is a bool. Of several workers
        they are those of one, and `received_mb` what it receives in a training step.
    """
    config, gpu = plan.config, "GPU" in room
    fits = plan.fits(room)
    helpful = [] if fits else find_remedies(plan, room)
    batches = {max(1, config.batch_size // 2), config.batch_size, 2 * config.batch_size}
    key, _, least = plan.WIDTH
    widths = {max(least, getattr(config, key) // n) for n in (4, 2, 1)}
    return {
        "labels": plan.num_labels,
        **plan.sizes,
        "documents": plan.num_documents,
        "steps": plan.steps,
        "parameters": plan.parameters,
        "weights_gb": in_gb(plan.weights),
        "moments_gb": in_gb(plan.moments),
        "process_gb": plan.process / 1e9,
        "averages_gb": plan.averages / 1e9,
        "matrix_gb": plan.matrix / 1e9,
        "step_gb": in_gb(plan.step),
        "phases_gb": in_gb(plan.phases),
        **_describe_workers(plan),
        "training_step_gb": {
            batch: in_gb(
                {
                    width: plan.changed(batch_size=batch, **{key: width}).phases[
                        "training step"
                    ]
                    for width in sorted(widths)
                }
            )
            for batch in sorted(batches)
        },
        "disk_gb": in_gb(plan.disk),
        "needs_gb": in_gb(plan.needs(gpu)),
        "room_gb": in_gb(room),
        "fits": fits,
        "remedies": [c | {"needs_gb": in_gb(p.needs(gpu))} for c, p in helpful],
    }


def _describe_workers(plan):
    """The figures of one of several workers."""
    if plan.workers == 1:
        return {}
    return {
        "workers": plan.workers,
        "shard_labels": plan.shard_labels,
        "worker_documents": plan.worker_batch,
        "received_mb": {k: n / 1e6 for k, n in count_received(plan).items()},
    }


def in_gb(sizes):
    """Converts a dictionary of bytes to GB."""
    return {name: size / 1e9 for name, size in sizes.items()}


def check_workers(plan):
    """Raises `BadInput` if a batch, or labels, cannot be dealt out over the workers."""
    config, workers = plan.config, plan.workers
    if config.batch_size % workers:
        raise BadInput(
            f"Expected batch_size to be a multiple of the workers, {workers}. "
            f"Received: {config.batch_size}."
        )
    if not plan.shard_labels:
        return
    if config.system == "lightdxml":
        raise BadInput(
            "Expected system: lightxml or one_vs_all, whose label table can be dealt "
            "out over workers. Received: lightdxml, which searches all of it.",
            remedy="Leave `shard_labels` out.",
        )
    count, what = plan.num_labels, "labels"
    if config.system == "lightxml":
        count, what = plan.clusters[0], "clusters"
        if config.max_leaf == 1:
            raise BadInput(
                "Expected a LightXML with a ranker, whose label table can be dealt out "
                "over workers. Received: max_leaf: 1, where a label is a cluster.",
                remedy="Leave `shard_labels` out.",
            )
    if workers > count:
        raise BadInput(
            f"Expected at most as many workers as {what}, {count}. Received: {workers}."
        )


def check_plan_limits(plan):
    """Raises `BadInput` if config, encoder and data do not fit together."""
    config, encoder, limits = plan.config, plan.encoder, []
    if encoder is not None:
        limits = [
            ("max_tokens", encoder.max_sequence_length, "positions of the encoder"),
        ]
        layers = "layers of the encoder"
        if config.level_layers is None:
            limits.append(("num_feature_layers", encoder.num_layers, layers))
        elif max(map(max, config.level_layers)) > encoder.num_layers:
            raise BadInput(
                f"Expected level_layers to be at most the {layers}, "
                f"{encoder.num_layers}. Received: {config.level_layers}."
            )
    check_workers(plan)
    if config.system == "lightxml":
        check_levels(config, plan.num_labels)
    if config.system == "one_vs_all":
        check_block_labels(config, plan.num_labels)
    if plan.num_documents is not None:
        most = plan.num_documents - 1
        limits.append(("validation_documents", most, "training documents less one"))
    for key, most, what in limits:
        if getattr(config, key) > most:
            raise BadInput(
                f"Expected {key} to be at most the {what}, {most}. "
                f"Received: {getattr(config, key)}.",
            )
