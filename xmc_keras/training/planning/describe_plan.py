"""The figures of a plan, and the limits of its config."""

from xmc_keras.config.resolve_config import check_levels
from xmc_keras.files.bad_input import BadInput
from xmc_keras.training.planning.check_memory import find_remedies
from xmc_keras.training.planning.one_vs_all_plan import check_block_labels


def describe_plan(plan, room):
    """All figures of a plan, as one dictionary for JSON.

    Args:
        plan: a `LightXMLPlan` or `LightDXMLPlan`.
        room: dictionary of places to bytes, see `measure_free_memory`.

    Returns:
        Dictionary. Sizes are in GB of 10^9 bytes; `fits` is a bool.
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


def in_gb(sizes):
    """Converts a dictionary of bytes to GB."""
    return {name: size / 1e9 for name, size in sizes.items()}


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
