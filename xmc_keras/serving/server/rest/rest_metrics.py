"""Prometheus metrics of the REST interface."""

import time
from contextlib import contextmanager

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4 as CONTENT_TYPE
from prometheus_client.metrics_core import GaugeMetricFamily

from xmc_keras.serving.server.serving_error import ServingError

__all__ = ["CONTENT_TYPE", "RestMetrics"]

COUNT = ":tensorflow:serving:request_count"
LATENCY = ":tensorflow:serving:request_latency"
VERSIONS = "xmc_serving_version_state"


class RestMetrics:
    """Metrics of the REST interface, in their own registry.

    - `:tensorflow:serving:request_count{model_name, status}` and the histogram
      `:tensorflow:serving:request_latency{model_name, API, entrypoint}` in
      microseconds, same as in TensorFlow Serving: `:predict` requests, from the
      received body to the finished response.
    - `xmc_serving_version_state{model_name, version, state}`: 1 for each version.

    Args:
        models: `ModelVersions`.
    """

    def __init__(self, models):
        self.models = models
        self.registry = CollectorRegistry()
        self.registry.register(self)
        self.count = Counter(
            COUNT,
            "The total number of requests.",
            ["model_name", "status"],
            registry=self.registry,
        )
        self.latency = Histogram(
            LATENCY,
            "Distribution of wall time (in microseconds) for requests.",
            ["model_name", "API", "entrypoint"],
            buckets=[10 * 1.8**i for i in range(32)],  # 10 us to 14 minutes
            registry=self.registry,
        )

    @contextmanager
    def predict(self):
        """Counts and times the block, by the status code that it ends with."""
        start, code = time.perf_counter(), "INTERNAL"
        try:
            yield
            code = "OK"
        except ServingError as error:
            code = error.code
            raise
        finally:
            self.count.labels(self.models.name, code).inc()
            microseconds = (time.perf_counter() - start) * 1e6
            self.latency.labels(self.models.name, "Predict", "REST").observe(
                microseconds
            )

    def describe(self):
        """Nothing in advance: the states are read when they are collected."""
        return []

    def collect(self):
        """Yields the current version states; prometheus-client calls it."""
        family = GaugeMetricFamily(
            VERSIONS,
            "1 for each version of the model, with its state as a label.",
            labels=["model_name", "version", "state"],
        )
        for state in self.models.states():
            labels = [self.models.name, str(state.version), state.state]
            family.add_metric(labels, 1)
        yield family

    def page(self):
        """All metrics in Prometheus's text format, as bytes."""
        text = generate_latest(self.registry)
        # prometheus-client appends _total to the name of a counter; TensorFlow
        # Serving does not.
        return text.replace(f"{COUNT}_total".encode(), COUNT.encode())
