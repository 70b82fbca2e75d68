"""Predict label names and scores by an export on many machines, with Apache Spark.

    xmc spark-predict exports/quickstart --input 'texts/*.txt' --output found.jsonl
    spark-submit --master yarn export/spark_predict.py exports/quickstart \\
        --input hdfs:///texts.txt --output hdfs:///found.jsonl

EXPORT is the folder of an export, of which the newest version is used, or a version. It
has the same path on each machine. Texts are lines of files, plain or compressed. The
options of Spark are those of spark-submit or of its configuration; without any it runs
on all cores of this machine.

The answers are lines of JSON as those of xmc predict, in the folder of --output:
a file for each partition, in the order of the texts. Empty texts are answered. Lines
that are not UTF-8 are counted, and written as they are to the folder
found.jsonl.bad_lines.

Apache Spark has an environment of its own, with Java 17 or later:

    pip install -r export/spark_requirements.txt
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

logger = logging.getLogger("spark-predict")


def main(argv=None):
    parser = command_parser("spark-predict", __doc__)
    add_engine_arguments(parser)
    args = parser.parse_args(argv)
    version, asked = check_engine_arguments(args)
    engine = import_engine("spark_pipeline", "pyspark", "py4j")
    with show_bad_input(), phase("Predicting with Apache Spark"):
        count, bad = engine.predict_by_spark(
            version, args.input, args.output, *asked, args.overwrite
        )
    log_answered(logger, count, bad, args.output)
