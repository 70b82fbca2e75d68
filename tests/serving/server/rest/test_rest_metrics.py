from prometheus_client.parser import text_string_to_metric_families

from tests.helpers.rest_server import (
    OneVersion,
    request,
    serving,
)


def test_metrics(model):
    with serving(OneVersion('m"\\', model, version=7)) as port:
        path = "/v1/models/m%22%5C"
        request(port, "POST", f"{path}:predict", {"instances": ["a"]})
        request(port, "POST", f"{path}:predict", {"instances": ["b"]})
        request(port, "POST", f"{path}:predict", {"instances": []})
        request(port, "POST", f"{path}/versions/9:predict", {"instances": ["a"]})
        request(port, "POST", "/v1/models/made_up:predict", {"instances": ["a"]})
        found = request(port, "GET", "/monitoring/prometheus/metrics")
    assert (found.status, found.type.split(";")[0]) == (200, "text/plain")
    text = found.body.decode()
    samples = {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert "made_up" not in text
    name = ("model_name", 'm"\\')
    count = ":tensorflow:serving:request_count"
    assert f"# TYPE {count} counter\n{count}{{" in text
    for status, number in [("OK", 2), ("INVALID_ARGUMENT", 1), ("NOT_FOUND", 1)]:
        # The parser gives every counter the suffix of OpenMetrics.
        assert samples[(f"{count}_total", name, ("status", status))] == number
    rest = (("API", "Predict"), ("entrypoint", "REST"))
    latency = ":tensorflow:serving:request_latency"
    assert samples[(f"{latency}_count", *rest, name)] == 4
    # All of them took between 10 microseconds and 20 seconds.
    assert 40 < samples[(f"{latency}_sum", *rest, name)] < 20e6
    state = (("state", "AVAILABLE"), ("version", "7"))
    assert samples[("xmc_serving_version_state", name, *state)] == 1
