"""Prediction by an exported version with Apache Spark."""

import functools
import os
import shutil
import sys
import tempfile
from pathlib import Path

from pyspark.errors import AnalysisException, PySparkRuntimeError
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from xmc_keras.files.bad_input import BadInput
from xmc_keras.serving.engines.version_answers import decode_line, load_answers

PACKAGE = Path(__file__).parents[2]


def answer_frames(frames, arguments):
    """The function of `mapInPandas`: frames of `text` to frames of `answer`."""
    import pandas as pd

    answers = load_answers(*arguments)
    for frame in frames:
        yield pd.DataFrame({"answer": answers(map(decode_line, frame["text"]))})


def predict_by_spark(
    version,
    source,
    output,
    k=None,
    threshold=None,
    titles=False,
    overwrite=False,
):
    """Runs the job, and waits for its end.

    Args:
        version: path of the version, see `find_version`, on each machine.
        source: string. Texts, one per line: a path, pattern or address for Spark.
        output: string. Where to write the answers: the folder `found.jsonl` with a file
            for each partition, in the order of the texts, and the folder
            `found.jsonl.bad_lines` with the lines that are not UTF-8.
        k, threshold, titles: see `VersionAnswers`.
        overwrite: bool. Replace an earlier output. Defaults to `False`.

    Returns:
        The number of texts, and of lines left out.

    Raises:
        BadInput: the version cannot be loaded, there is no Java or no text, or there
            is an output.
    """
    load_answers(str(version), k, threshold, titles)  # what is wrong with it
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    try:
        spark = SparkSession.builder.appName("xmc spark-predict").getOrCreate()
    except PySparkRuntimeError as error:
        raise BadInput(
            f"Expected Java 17 or later. Received: {reason_of(error)}",
            remedy="Install it, or set JAVA_HOME to where it is.",
        ) from None
    try:
        with tempfile.TemporaryDirectory() as folder:
            # So that no other machine needs this package.
            base = Path(folder, "xmc_keras")
            package = shutil.make_archive(base, "zip", PACKAGE.parent, PACKAGE.name)
            spark.sparkContext.addPyFile(package)
            arguments = str(version), k, threshold, titles
            return run_job(spark, source, output, arguments, overwrite)
    finally:
        spark.stop()


def run_job(spark, source, output, arguments, overwrite):
    """Reads the texts, and writes their answers; see `predict_by_spark`.

    Args:
        arguments: tuple, those of `VersionAnswers`.
    """
    bad_output = f"{output}.bad_lines"
    for path in (output, bad_output):
        if not overwrite and exists(spark, path):
            raise BadInput(
                "Expected an output that does not exist. Received: a folder.",
                path,
                remedy="Replace it with `overwrite=True`, or choose another `output`.",
            )
    spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", 4096)
    # Texts take long: small files are cut into as many partitions as there are cores.
    spark.conf.set("spark.sql.files.openCostInBytes", 2**16)
    try:
        lines = spark.read.option("lineSep", "\n").text(source)
    except AnalysisException as error:
        raise BadInput(
            f"Expected a text file. Received: {reason_of(error)}", source
        ) from None
    is_text = F.is_valid_utf8("value")
    bad = lines.where(~is_text)
    texts = lines.where(is_text).select(F.col("value").cast("binary").alias("text"))
    answers = texts.mapInPandas(
        functools.partial(answer_frames, arguments=arguments), "answer string"
    )
    mode = "overwrite" if overwrite else "error"
    answers.write.mode(mode).text(output)
    bad.write.mode(mode).text(bad_output)
    return lines.where(is_text).count(), bad.count()


def exists(spark, path):
    """Whether there is something at a path or address."""
    path = spark.sparkContext._jvm.org.apache.hadoop.fs.Path(path)
    return path.getFileSystem(spark.sparkContext._jsc.hadoopConfiguration()).exists(
        path
    )


def reason_of(error):
    """The first sentence of an error of Spark."""
    return error.getMessage().partition(". ")[0].removesuffix(".") + "."
