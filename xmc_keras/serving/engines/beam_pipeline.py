"""Prediction by an exported version with Apache Beam."""

import os

import apache_beam as beam
from apache_beam.coders import BytesCoder
from apache_beam.io import ReadFromText, WriteToText
from apache_beam.io.filesystem import BeamIOError
from apache_beam.io.filesystems import FileSystems
from apache_beam.metrics import Metrics, MetricsFilter
from apache_beam.ml.inference.base import ModelHandler, RunInference
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from xmc_keras.evaluation.share_workers import find_package
from xmc_keras.files.atomic_files import check_writable
from xmc_keras.files.bad_input import BadInput
from xmc_keras.serving.engines.version_answers import (
    decode_line,
    load_answers,
    split_name,
)

NAMESPACE = "xmc"
# Texts that Beam hands over at a time. The SavedModel sorts them by length and computes
# 32 at once, so that many of like length are found among these.
BATCH = {"min_batch_size": 256, "max_batch_size": 4096}


class VersionHandler(ModelHandler):
    """The model of `RunInference`: strings in, lines of JSON out.

    Args:
        path, k, threshold, titles: see `VersionAnswers`.
    """

    def __init__(self, path, k=None, threshold=None, titles=False):
        super().__init__()
        self._arguments = str(path), k, threshold, titles

    def load_model(self):
        return load_answers(*self._arguments)

    def run_inference(self, batch, model, inference_args=None):
        return model(batch)

    def batch_elements_kwargs(self):
        return BATCH

    def get_metrics_namespace(self):
        return NAMESPACE


class SortOut(beam.DoFn):
    """Lines of bytes to texts; those that are not UTF-8 are the output `bad`."""

    def __init__(self):
        self._texts = Metrics.counter(NAMESPACE, "texts")
        self._bad = Metrics.counter(NAMESPACE, "bad_lines")

    def process(self, line):
        text = decode_line(line)
        if text is None:
            self._bad.inc()
            yield beam.pvalue.TaggedOutput("bad", line)
        else:
            self._texts.inc()
            yield text


def predict_by_beam(
    version,
    source,
    output,
    k=None,
    threshold=None,
    titles=False,
    overwrite=False,
    options=(),
):
    """Runs the pipeline, and waits for its end.

    Args:
        version: path of the version, see `find_version`, on each machine.
        source: string. Texts, one per line: a path, pattern or address that Beam reads.
        output: string. Where to write the answers: `found.jsonl` becomes
            `found-00000-of-00002.jsonl` and so on, and lines that are not UTF-8
            `found-bad-lines-00000-of-00001.txt`. The order of texts is not kept.
        k, threshold, titles: see `VersionAnswers`.
        overwrite: bool. Delete an earlier output. Defaults to `False`.
        options: list of strings. Options of Beam, such as `--runner=FlinkRunner`.

    Returns:
        The number of texts, and of lines left out.

    Raises:
        BadInput: the version cannot be loaded, there are no texts, or there is an
            output.
    """
    load_answers(str(version), k, threshold, titles)  # what is wrong with it
    prefix, suffix = split_name(output)
    bad_prefix = f"{prefix}-bad-lines"
    shards = "?????-of-?????"
    patterns = f"{prefix}-{shards}{suffix}", f"{bad_prefix}-{shards}.txt"
    earlier = find_files(patterns)
    if earlier and not overwrite:
        raise BadInput(
            "Expected an output that does not exist. Received: a file.",
            earlier[0],
            remedy="Replace it with `overwrite=True`, or choose another `output`.",
        )
    if "://" not in output:
        check_writable(output, "for answers", "output")
    if not find_files([source]):
        raise BadInput("Expected a text file. Received: none.", source)
    options = PipelineOptions(list(options))
    # The default is a program that Beam downloads when it is first used.
    here = options.view_as(StandardOptions).runner is None
    try:
        pipeline = beam.Pipeline(FnApiRunner() if here else None, options)
    except ValueError as error:
        reason = " ".join(str(error).split())
        raise BadInput(f"Expected options of Beam. Received: {reason:.300}") from None
    texts, bad = (
        pipeline
        | "Read" >> ReadFromText(source, coder=BytesCoder())
        | "Sort out" >> beam.ParDo(SortOut()).with_outputs("bad", main="texts")
    )
    (
        texts
        | "Predict" >> RunInference(VersionHandler(version, k, threshold, titles))
        | "Write" >> WriteToText(prefix, suffix)
    )
    bad | "Write bad lines" >> WriteToText(
        bad_prefix, ".txt", coder=BytesCoder(), skip_if_empty=True
    )
    if earlier:
        FileSystems.delete(earlier)
    os.environ["PYTHONPATH"] = find_package()  # for several processes
    result = pipeline.run()
    result.wait_until_finish()
    query = MetricsFilter().with_namespace(NAMESPACE)
    counters = result.metrics().query(query)["counters"]
    counts = {counter.key.metric.name: counter.result for counter in counters}
    return counts.get("texts", 0), counts.get("bad_lines", 0)


def find_files(patterns):
    """The files of some patterns, a sorted list of paths.

    Raises:
        BadInput: Beam cannot look there.
    """
    try:
        found = FileSystems.match(list(patterns))
    except (BeamIOError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise BadInput(
            f"Expected a place that Beam can read. Received: {reason:.300}.",
            patterns[0],
        ) from None
    return sorted({file.path for match in found for file in match.metadata_list})
