"""Bytes that a worker receives from the others in a training step."""

NUMBER, ID = 4, 4  # float32 and int32


def count_received(plan):
    """Bytes that a worker receives in a training step, by what they are.

    Calculated from the sizes of what is exchanged by n workers, whatever carries it. An
    all-reduce in a ring receives 2 (n - 1) / n of the bytes of a tensor: once to sum
    it, once to hand the sum on. An all-gather receives the parts of the n - 1 others.

    - *gradients*: of whole weights, float32, all-reduced.
    - *token rows*, *cluster rows*, *label rows*: gradients of rows, float32, with an
      int32 id each, all-gathered. A batch has at most these; documents that share
      clusters have fewer.
    - *label table*: of one-vs-all, whose gradient has all rows, all-reduced.

    With `shard_labels` label rows stay where they are. For the documents of all
    workers, these are exchanged instead:

    - *features*: those that rows are multiplied with, float32 in every precision,
      all-gathered; in the backward pass their gradient, all-reduced.
    - *candidates*: int32 ids, all-gathered; of one-vs-all the true labels.
    - *logits*: of candidates, float32, of which each worker has the part of its rows:
      all-reduced; in the backward pass their gradient, all-gathered. One-vs-all has
      none: a label is with one worker, and so are its logits.

    Args:
        plan: a `LightXMLPlan`, `OneVsAllPlan` or `LightDXMLPlan` with its `workers`.

    Returns:
        Dictionary of ints, empty for one worker.
    """
    n = plan.workers
    if n == 1:
        return {}

    def all_reduce(size):
        return round(2 * (n - 1) * size / n)

    def all_gather(size):
        return round((n - 1) * size / n)

    found = {part: all_reduce(NUMBER * size) for part, size in plan.dense.items()}
    for part, (rows, width) in plan.rows.items():
        found[part] = (n - 1) * rows * row_bytes(width)
    batch = n * plan.worker_batch
    for part, (gathered, reduced) in plan.exchanged.items():
        found[part] = all_gather(batch * gathered) + all_reduce(batch * reduced)
    return {part: size for part, size in found.items() if size}


def row_bytes(width):
    """Bytes of the gradient of a row of a table, and of its id."""
    return NUMBER * width + ID
