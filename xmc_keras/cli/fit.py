"""Train LightXML or LightDXML by a recipe, evaluate it, keep both in a folder.

    python trainers/fit.py configs/quickstart.yaml
    python trainers/fit.py configs/debian24k.yaml --set epochs=2 --set max_tokens=64
    python trainers/fit.py configs/debian24k.yaml --resume

The run goes to runs/<config name>: the resolved config, the models, history.csv,
curves.png, tensorboard/ and metrics.json. Interrupt it when you like: --resume
continues from the last checkpoint.
"""

import logging
import time
from pathlib import Path

import numpy as np

from xmc_keras.cli.arguments import add_config
from xmc_keras.cli.program import command_parser
from xmc_keras.config.config_file import load_config
from xmc_keras.config.describe_config import describe_config
from xmc_keras.data.check_reads import check_reads_features
from xmc_keras.data.documents import check_labels_known
from xmc_keras.data.filters import encode_filtered_labels
from xmc_keras.data.split_documents import split_documents
from xmc_keras.data.splits import read_part
from xmc_keras.labels.label_set import LabelSet
from xmc_keras.metrics.filtered_ranking import filter_ranking
from xmc_keras.runs.run_folder import RunFolder
from xmc_keras.training.fit_lightdxml import fit_lightdxml
from xmc_keras.training.fit_lightxml import fit_lightxml
from xmc_keras.training.memory import measure_peak_memory

logger = logging.getLogger("fit")

# Comparing every test document with every label of more would take longer than a
# baseline is worth.
NEAREST_LABELS = 100_000


def main(argv=None):
    parser = command_parser("fit", __doc__, "keys of a config:\n\n" + describe_config())
    add_config(parser)
    parser.add_argument("--run", help="folder of the run (runs/<config name>)")
    again = parser.add_mutually_exclusive_group()
    again.add_argument("--resume", action="store_true", help="continue a killed run")
    again.add_argument("--overwrite", action="store_true", help="replace a run")
    parser.add_argument(
        "--skip-bad-lines",
        action="store_true",
        help="leave bad lines of the data out and count them, instead of stopping; "
        "test labels that training never saw count as relevant and unreachable",
    )
    parser.add_argument(
        "--any-memory",
        action="store_true",
        help="begin even if trainers/plan.py reckons that memory will not do",
    )
    args = parser.parse_args(argv)
    config = load_config(args.config, args.set)
    run = RunFolder(args.run or Path("runs", Path(args.config).stem))
    run.check(config, args.resume, args.overwrite)
    if args.resume and run.finished:
        logger.info("This run is finished: see %s", run.metrics_path)
        return
    begun = time.monotonic()

    # === Data ===
    logger.info("Reading %s", config.data)
    everything = read_part(config.data, "train", args.skip_bad_lines)
    width = getattr(everything, "num_features", None)
    if width is not None:
        check_reads_features(config, everything.texts_path)
    test = read_part(config.data, "test", args.skip_bad_lines, width)
    label_set = LabelSet.from_labels(everything.labels)
    check_labels_known(test, label_set, args.skip_bad_lines)
    filtered = encode_filtered_labels(test, label_set)
    train, validation = map(everything.subset, split_documents(config, len(everything)))
    logger.info(
        "%d documents to train on, %d to validate, %d to test, %d labels",
        *map(len, (train, validation, test, label_set)),
    )

    # === Model and training ===
    continued = args.resume and run.config_path.exists()
    if continued:
        run.check_data(everything)
    parts = {
        "everything": everything,
        "train": train,
        "validation": validation,
        "test": test,
    }
    fit = fit_lightxml if config.system == "lightxml" else fit_lightdxml
    checkpoint, test_batches, rows, found = fit(
        config, run, parts, label_set, continued, args
    )

    # === Evaluation ===
    # TensorFlow takes seconds to come up: what is wrong before it is told at once.
    from xmc_keras.cli.evaluate import NAMES, evaluate, propensities, table
    from xmc_keras.metrics.baselines import rank_by_popularity, rank_by_similarity
    from xmc_keras.metrics.ranking_metrics import ranking_report

    relevant = label_set.encode(test.labels)
    weight = propensities(config, run, relevant)
    metrics = evaluate(run.load_model(), test_batches, relevant, weight, filtered)
    # As many more as a document may lose.
    most = 5 + (0 if filtered is None else int(np.diff(filtered.indptr).max()))
    tops = {
        "most popular labels": rank_by_popularity(
            label_set.encode(train.labels), len(test), most
        )
    }
    if len(label_set) <= NEAREST_LABELS:
        tops["nearest label by TF-IDF"] = rank_by_similarity(*rows, most)
    metrics["baselines"] = baselines = {
        name: ranking_report(filter_ranking(top, filtered), relevant, weight)
        for name, top in tops.items()
    }
    metrics.update(
        train_documents=len(train),
        validation_documents=len(validation),
        skipped_lines=everything.skipped + test.skipped,
        propensity_a=config.propensity_a,
        propensity_b=config.propensity_b,
        train_seconds=round(checkpoint.seconds, 1),
        seconds=round(time.monotonic() - begun + checkpoint.earlier_seconds, 1),
        peak_memory_gb=round(measure_peak_memory(), 2),
        **found,
    )
    run.save_metrics(metrics)
    checkpoint.remove()
    print(table({NAMES[config.system]: metrics, **baselines}))
    logger.info("Saved %s", run.metrics_path)
