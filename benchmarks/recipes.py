"""Requirements of the recipes for the paper's data sets, as `xmc plan` estimates them.

    python -m benchmarks.recipes           # print the table
    python -m benchmarks.recipes --write   # write it to a page, a line to each recipe

docs/results/paper_sets.md has the table between two comments; a recipe in configs/ has
its figures and command in the head, after "Needs:". After a change of a recipe or of
the plan, --write updates both; until then the tests fail. Nothing is trained or
downloaded.
"""

import re
import sys
import textwrap

from benchmarks.shared.circumstances import ROOT
from benchmarks.shared.figures import benchmark_parser, put_between
from xmc_keras.config.config_file import load_config
from xmc_keras.data.downloads.benchmark_sets import SETS
from xmc_keras.encoders.encoder_shape import EncoderShape
from xmc_keras.files.atomic_files import atomic_write
from xmc_keras.training.planning.check_memory import TRANSFORMER_PLANS

# Labels and training documents of sets that one-vs-all has recipes for.
LARGE_SETS = {
    "amazon670k": (670_091, 490_449),
    "wiki500k": (501_008, 1_779_881),
    "amazontitles670k": (670_091, 485_176),
    "amazon3m": (2_812_281, 1_717_899),
    "lf_amazontitles131k": (131_073, 294_805),
    "lf_wikiseealso320k": (312_330, 693_082),
}
# P@1, P@3, P@5 of trees of linear models, from Table 3 of the paper.
PARABEL = {
    "eurlex4k": (82.12, 68.91, 57.89),
    "wiki31k": (84.19, 72.46, 63.37),
    "amazoncat13k": (93.02, 79.14, 64.51),
    "wiki500k": (68.70, 49.57, 38.64),
    "amazon670k": (44.91, 39.77, 35.98),
}
HEAD = (
    "command",
    "with a GPU",
    "without",
    "steps",
    "ours",
    "paper P@1 / 3 / 5",
    "Parabel",
)
ONE_VS_ALL_HEAD = HEAD[:5] + ("published P@1 / 3 / 5",)
PAGE = "docs/results/paper_sets.md"
BEGIN, END = "<!-- python -m benchmarks.recipes --write -->\n", "<!-- end -->"
ONE_VS_ALL_BEGIN = "<!-- one-vs-all, by the same command -->\n"
NEEDS = re.compile(r"(# Measured here: .*\n)(?:# Needs: .*\n(?:# .*\n)*)?(?=#\n)")


def recipes():
    """Dictionary from the path of each recipe to its plan.

    LightXML's recipes for `SETS` come first, then those of one-vs-all for `LARGE_SETS`.
    """
    sizes = {name: (wanted.labels, wanted.train) for name, wanted in SETS.items()}
    sizes |= {f"one_vs_all_{name}": found for name, found in LARGE_SETS.items()}
    plans = {}
    for name, (labels, documents) in sizes.items():
        paths = sorted(ROOT.glob(f"configs/{name}*.yaml"))
        for path in sorted(paths, key=lambda path: path.stem != name):
            config = load_config(path)
            plan, shape = (
                TRANSFORMER_PLANS[config.system],
                EncoderShape.named(config.encoder),
            )
            plans[path] = plan(config, shape, labels, documents)
    return plans


def gigabytes(plan):
    """Peak of a run: `(GPU, machine with a GPU, machine alone)`, in 10^9 bytes."""
    with_gpu, alone = plan.needs(gpu=True), plan.needs()
    return with_gpu["GPU"] / 1e9, with_gpu["machine"] / 1e9, alone["machine"] / 1e9


def readme_table(plans):
    """The table of the page: a row for each recipe, without its variants."""
    rows = [HEAD, ("---",) * len(HEAD)]
    for path, plan in plans.items():
        if path.stem in SETS:
            text = path.read_text("utf-8")
            gpu, machine, alone = gigabytes(plan)
            paper = re.search(r"P@1/3/5 ([\d.]+)/([\d.]+)/([\d.]+)", text)
            measured = re.search(r"# Measured here: (.*?)\.?\n", text)[1]
            row = f"`xmc fit configs/{path.name}`"
            row = row, f"{gpu:.1f} GB and {machine:.1f} GB", f"{alone:.1f} GB"
            parabel = " / ".join(f"{value:.2f}" for value in PARABEL[path.stem])
            paper = " / ".join(paper.groups())
            rows.append((*row, f"{plan.steps:,}", measured, paper, parabel))
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def one_vs_all_table(plans):
    """The second table of the page: a row for each recipe of one-vs-all."""
    rows = [ONE_VS_ALL_HEAD, ("---",) * len(ONE_VS_ALL_HEAD)]
    for path, plan in plans.items():
        if plan.config.system == "one_vs_all":
            text = path.read_text("utf-8")
            gpu, machine, alone = gigabytes(plan)
            figures = re.search(r"P@1/3/5\s[#\s]*([\d.]+)/([\d.]+)/([\d.]+)", text)
            figures = " / ".join(figures.groups()) if figures else "not at hand"
            measured = re.search(r"# Measured here: (.*?)\.?\n", text)[1]
            row = f"`xmc fit {path.stem}`", f"{gpu:.1f} GB and {machine:.1f} GB"
            rows.append((*row, f"{alone:.1f} GB", f"{plan.steps:,}", measured, figures))
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def with_table(text, plans):
    """The text of the page with the current tables."""
    text = put_between(text, BEGIN, END, readme_table(plans), PAGE)
    found = one_vs_all_table(plans)
    return put_between(text, ONE_VS_ALL_BEGIN, END, found, PAGE)


def with_needs(text, path, plan):
    """The text of a recipe with its current needs."""
    gpu, machine, alone = gigabytes(plan)
    needs = (
        f"Needs: {gpu:.1f} GB of GPU memory and {machine:.1f} GB of main memory, or "
        f"{alone:.1f} GB of main memory without a GPU, plus the texts; {plan.steps:,} "
        f"steps. Estimated by xmc plan configs/{path.name} --labels {plan.num_labels} "
        f"--documents {plan.num_documents}; --measure adds the hours."
    )
    lines = textwrap.wrap(
        needs,
        88,
        initial_indent="# ",
        subsequent_indent="# ",
        break_on_hyphens=False,
        break_long_words=False,
    )
    found, count = NEEDS.subn(lambda m: m[1] + "\n".join(lines) + "\n", text)
    if count != 1:
        sys.exit(f"error: {path}: Expected a line '# Measured here: ...' in the head.")
    return found


def main(arguments):
    plans = recipes()
    if not arguments.write:
        return print(readme_table(plans), one_vs_all_table(plans), sep="\n", end="")
    page = ROOT / PAGE
    texts = {page: with_table(page.read_text("utf-8"), plans)}
    for path, plan in plans.items():
        texts[path] = with_needs(path.read_text("utf-8"), path, plan)
    for path, text in texts.items():
        with atomic_write(path) as file:
            file.write(text.encode())


if __name__ == "__main__":
    parser = benchmark_parser("recipes", __doc__)
    parser.add_argument(
        "--write", action="store_true", help="update the page and the recipes"
    )
    main(parser.parse_args())
