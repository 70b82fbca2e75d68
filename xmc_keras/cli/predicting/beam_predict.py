"""Predict label names and scores by an export on many machines, with Apache Beam.

    xmc beam-predict exports/quickstart --input 'texts/*.txt' --output found.jsonl
    xmc beam-predict exports/quickstart --input gs://texts/*.txt --output \\
        gs://found/found.jsonl -- --runner=DataflowRunner --project=mine --region=...

EXPORT is the folder of an export, of which the newest version is used, or a version. It
has the same path on each machine. Texts are lines of files, plain or compressed; files
are also what Beam reads at gs://, s3:// and hdfs://. What follows -- are options of
Beam, which choose its runner; without any it runs on this machine.

The answers are lines of JSON as those of xmc predict, in files such as
found-00000-of-00008.jsonl; their order is not that of the texts. Empty texts are
answered. Lines that are not UTF-8 are counted, and written as they are to files such as
found-bad-lines-00000-of-00001.txt.

Apache Beam has an environment of its own:

    pip install -r export/beam_requirements.txt
    pip install --no-deps xmc-keras
"""

import logging

from xmc_keras.cli.predicting.engine_arguments import (
    add_engine_arguments,
    check_engine_arguments,
    import_engine,
    log_answered,
    show_bad_input,
)
from xmc_keras.cli.program import command_parser
from xmc_keras.progress import phase

logger = logging.getLogger("beam-predict")


def main(argv=None):
    argv = list(argv or ())
    end = argv.index("--") if "--" in argv else len(argv)
    parser = command_parser("beam-predict", __doc__)
    add_engine_arguments(parser)
    args = parser.parse_args(argv[:end])
    version, asked = check_engine_arguments(args)
    engine = import_engine("beam_pipeline", "apache-beam", "apache_beam")
    with show_bad_input(), phase("Predicting with Apache Beam"):
        count, bad = engine.predict_by_beam(
            version, args.input, args.output, *asked, args.overwrite, argv[end + 1 :]
        )
    log_answered(logger, count, bad, args.output)
