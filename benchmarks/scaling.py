"""Memory of a GPU and bytes of a step on several, as `xmc plan --workers` reckons them.

    python -m benchmarks.scaling           # print the tables
    python -m benchmarks.scaling --write   # write them to the page

docs/scaling/memory.md has a table for each case between comments. Every GPU has the
documents of the recipe's batch, so that a step of 64 has 64 times as many. Nothing is
trained: all figures are calculated. After a change of a recipe or of the plan, --write
updates the page; until then the tests fail.
"""

from benchmarks.shared.circumstances import ROOT
from benchmarks.shared.figures import benchmark_parser, put_between
from xmc_keras.config.config_file import load_config
from xmc_keras.encoders.encoder_shape import EncoderShape
from xmc_keras.files.atomic_files import atomic_write
from xmc_keras.training.planning.check_memory import TRANSFORMER_PLANS
from xmc_keras.training.planning.traffic import count_received

# Recipe, labels, and other settings.
LEAN = ["optimizer=partial_rowwise_adamw", "table_dtype=bfloat16", "bottleneck_dim=256"]
BFLOAT16 = "precision=mixed_bfloat16"
CASES = {
    "wiki500k": ("wiki500k", 501_008, [BFLOAT16]),
    "amazon3m": ("amazon670k", 2_812_281, [BFLOAT16, "optimizer=rowwise_adamw"]),
    "100m": ("amazon670k", 10**8, [BFLOAT16, *LEAN, "levels=[1024,32768]"]),
    "one_vs_all_wiki500k": ("one_vs_all_wiki500k", 501_008, []),
    "one_vs_all_amazon3m": ("one_vs_all_amazon3m", 2_812_281, []),
    "one_vs_all_100m": ("one_vs_all_amazon3m", 10**8, []),
}
GPUS = (1, 8, 64)
SECOND = 12.5e9  # bytes a second of 100 Gbit/s
PAGE = "docs/scaling/memory.md"
BEGIN, END = "<!-- python -m benchmarks.scaling --write: {} -->\n", "<!-- end -->"
HEAD = (
    *("GPUs", "label table", "documents a step", "table and moments, GB"),
    *("memory of a GPU, GB", "received for labels, MB", "for the rest, MB"),
    "ms at 100 Gbit/s",
)
OF_LABELS = "label rows", "label table", "features", "candidates", "logits"


def make_case(name, workers, shard_labels):
    """The plan of a case for a number of workers."""
    recipe, labels, settings = CASES[name]
    path = ROOT / f"configs/{recipe}.yaml"
    batch = workers * load_config(path).batch_size
    config = load_config(path, [*settings, f"batch_size={batch}"])
    shape = EncoderShape.named(config.encoder)
    plan = TRANSFORMER_PLANS[config.system]
    return plan(config, shape, labels, workers=workers, shard_labels=shard_labels)


def write_command(name, workers=8, shard_labels=True):
    """The `xmc plan` of a case."""
    recipe, labels, settings = CASES[name]
    batch = make_case(name, workers, shard_labels).config.batch_size
    words = ["xmc plan", recipe, f"--labels {labels}"]
    words += [f"--set {setting}" for setting in (*settings, f"batch_size={batch}")]
    words += [f"--workers {workers}"] + ["--shard-labels"] * shard_labels
    return " ".join(words)


def write_table(name):
    """The table of a case: a row for each number of GPUs and kind of label table."""
    rows = [HEAD, ("---",) * len(HEAD)]
    for workers in GPUS:
        for shard_labels in (False, True)[: 1 + (workers > 1)]:
            plan = make_case(name, workers, shard_labels)
            received = count_received(plan)
            labels = sum(received.get(part, 0) for part in OF_LABELS)
            rest = sum(received.values()) - labels
            kind = "dealt out" if shard_labels else "on each"
            held = plan.weights["label table"] + plan.moments["label table"]
            rows.append(
                (
                    *(str(workers), "" if workers == 1 else kind),
                    f"{plan.config.batch_size:,}",
                    f"{held / 1e9:,.1f}",
                    f"{plan.needs(gpu=True)['GPU'] / 1e9:,.1f}",
                    f"{labels / 1e6:,.0f}",
                    f"{rest / 1e6:,.0f}",
                    f"{1000 * (labels + rest) / SECOND:,.0f}",
                )
            )
    command = f"`{write_command(name)}`\n\n"
    return command + "".join(f"| {' | '.join(row)} |\n" for row in rows)


def with_tables(text):
    """The text of the page with the current tables."""
    for name in CASES:
        text = put_between(text, BEGIN.format(name), END, write_table(name), PAGE)
    return text


def main(arguments):
    if not arguments.write:
        return print(*map(write_table, CASES), sep="\n", end="")
    page = ROOT / PAGE
    text = with_tables(page.read_text("utf-8"))
    with atomic_write(page) as file:
        file.write(text.encode())


if __name__ == "__main__":
    parser = benchmark_parser("scaling", __doc__)
    parser.add_argument("--write", action="store_true", help="update the page")
    main(parser.parse_args())
