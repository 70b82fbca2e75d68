"""The files of export/serving/ and what they share with the page on serving."""

from tests.helpers.project import PROJECT

EXPORT = PROJECT / "export"
SERVING = EXPORT / "serving"
PAGE = (PROJECT / "docs/how_to/serving.md").read_text("utf-8")
GRAPH = PROJECT / "xmc_keras/serving/graph"
REST = PROJECT / "xmc_keras/serving/server/rest"
IMAGE = "tensorflow/serving:2.20.0"
METRICS = "/monitoring/prometheus/metrics"
STATUS = "/v1/models/xmc"
