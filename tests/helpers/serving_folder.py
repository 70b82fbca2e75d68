"""The files of export/serving/ and the names that they share."""

from tests.helpers.project import PROJECT

EXPORT = PROJECT / "export"
SERVING = EXPORT / "serving"
README = (EXPORT / "README.md").read_text("utf-8")
IMAGE = "tensorflow/serving:2.20.0"
METRICS = "/monitoring/prometheus/metrics"
STATUS = "/v1/models/xmc"
