"""The files of export/serving/: servers can read them, and they are consistent."""

import http.server
import json
import re
import socket
import subprocess
import threading

import pytest
import yaml
from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    message_factory,
    text_format,
    wrappers_pb2,
)
from tensorflow.core.protobuf import config_pb2, rewriter_config_pb2
from tensorflow_serving.config import model_server_config_pb2

from tests.helpers.serving_folder import (
    GRAPH,
    IMAGE,
    METRICS,
    PAGE,
    REST,
    SERVING,
    STATUS,
)

# Flags of tensorflow_model_server, from its main.cc, that these files might use.
FLAGS = {
    "port",
    "rest_api_port",
    "rest_api_num_threads",
    "rest_api_timeout_in_ms",
    "enable_batching",
    "batching_parameters_file",
    "allow_version_labels_for_unavailable_models",
    "model_config_file",
    "model_config_file_poll_wait_seconds",
    "model_name",
    "model_base_path",
    "monitoring_config_file",
    "tensorflow_intra_op_parallelism",
    "tensorflow_inter_op_parallelism",
    "tensorflow_session_config_file",
}
SHARED_FLAGS = {
    "model_config_file": "/etc/xmc/models.config",
    "model_config_file_poll_wait_seconds": "10",
    "allow_version_labels_for_unavailable_models": "true",
    "monitoring_config_file": "/etc/xmc/monitoring.config",
    "tensorflow_session_config_file": "/etc/xmc/session.config",
}


def read(name):
    return (SERVING / name).read_text("utf-8")


def manifests(name):
    """The documents of a YAML file, by kind."""
    found = list(yaml.safe_load_all(read(name)))
    assert len({document["kind"] for document in found}) == len(found)
    return {document["kind"]: document for document in found}


def flags(words):
    """Dictionary of name to value of `--name=value` words."""
    found = dict(word[2:].split("=", 1) for word in words if word.startswith("--"))
    assert set(found) <= FLAGS
    return found


@pytest.fixture(scope="module")
def messages():
    """`BatchingParameters` and `MonitoringConfig`, which the wheel does not have.

    They are built from the names, numbers and types in session_bundle_config.proto and
    monitoring_config.proto of TensorFlow Serving.
    """
    kind = descriptor_pb2.FieldDescriptorProto
    int64, wrapper = (
        {"type": kind.TYPE_INT64},
        {
            "type": kind.TYPE_MESSAGE,
            "type_name": ".google.protobuf.Int64Value",
        },
    )
    repeated = {**int64, "label": kind.LABEL_REPEATED}
    prometheus = {
        "type": kind.TYPE_MESSAGE,
        "type_name": ".tensorflow.serving.PrometheusConfig",
    }
    fields = {
        "BatchingParameters": [
            ("max_batch_size", 1, wrapper),
            ("batch_timeout_micros", 2, wrapper),
            ("max_enqueued_batches", 3, wrapper),
            ("num_batch_threads", 4, wrapper),
            ("allowed_batch_sizes", 6, repeated),
            ("pad_variable_length_inputs", 7, {"type": kind.TYPE_BOOL}),
        ],
        "PrometheusConfig": [
            ("enable", 1, {"type": kind.TYPE_BOOL}),
            ("path", 2, {"type": kind.TYPE_STRING}),
        ],
        "MonitoringConfig": [("prometheus_config", 1, prometheus)],
    }
    file = descriptor_pb2.FileDescriptorProto(
        name="serving.proto",
        package="tensorflow.serving",
        syntax="proto3",
        dependency=["google/protobuf/wrappers.proto"],
    )
    for name, content in fields.items():
        message = file.message_type.add(name=name)
        for field, number, rest in content:
            rest = {"label": kind.LABEL_OPTIONAL, **rest}
            message.field.add(name=field, number=number, **rest)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(
            pool.FindMessageTypeByName(f"tensorflow.serving.{name}")
        )
        for name in fields
    }


# === What the server reads ===


def model_config(text=None):
    config = model_server_config_pb2.ModelServerConfig()
    text_format.Parse(text or read("models.config"), config)
    (model,) = config.model_config_list.config
    return model


def test_models_config_keeps_two_versions_and_has_two_labels():
    model = model_config()
    assert model.name == "xmc"
    assert model.base_path == "/models/xmc"
    assert model.model_platform == "tensorflow"
    assert model.model_version_policy.latest.num_versions == 2
    # Version 1 is the only one that certainly exists.
    assert dict(model.version_labels) == {"stable": 1, "canary": 1}


def test_models_config_would_take_the_policies_that_are_recommended():
    policies = re.findall(r"model_version_policy \{ specific \{.*\} \}", PAGE)
    policies += re.findall(r"#\s+(model_version_policy .*)", read("models.config"))
    assert len(policies) == 2
    for policy in policies:
        ours = r"^ *model_version_policy .*"
        text = re.sub(ours, policy, read("models.config"), flags=re.M)
        assert 1 in model_config(text).model_version_policy.specific.versions


@pytest.mark.parametrize("name", ["batching_cpu.txt", "batching_gpu.txt"])
def test_batching_parameters(messages, name):
    found = text_format.Parse(read(name), messages["BatchingParameters"]())
    # Texts beyond the block size of the graph would only wait.
    block = (GRAPH / "serving_module.py").read_text("utf-8")
    (block,) = re.findall(r"^BLOCK = (\d+)", block, re.M)
    assert found.max_batch_size.value == int(block)
    assert f"`max_batch_size` ({block})" in PAGE
    assert f"computed {block} texts at a time" in PAGE
    assert found.num_batch_threads.value >= 1
    assert found.max_enqueued_batches.value >= found.num_batch_threads.value
    assert not found.allowed_batch_sizes and not found.pad_variable_length_inputs
    waits = found.batch_timeout_micros
    if name == "batching_cpu.txt":
        assert found.HasField("batch_timeout_micros") and waits.value == 0
        cores = container()["resources"]["requests"]["cpu"]
        assert str(found.num_batch_threads.value) == cores
    else:
        assert f"# Wait {waits.value // 1000} ms" in read(name)


def test_monitoring_config(messages):
    found = text_format.Parse(read("monitoring.config"), messages["MonitoringConfig"]())
    assert found.prometheus_config.enable
    assert found.prometheus_config.path == METRICS
    assert f'"{METRICS}"' in (REST / "rest_app.py").read_text("utf-8")


def test_session_config():
    found = text_format.Parse(read("session.config"), config_pb2.ConfigProto())
    # The same as in `xmc serve`.
    assert found == config_pb2.ConfigProto(
        graph_options=config_pb2.GraphOptions(
            rewrite_options=rewriter_config_pb2.RewriterConfig(
                disable_meta_optimizer=True
            )
        )
    )


@pytest.mark.parametrize(
    "text", ["max_batch_size: 32", "max_batch { value: 1 }", "max_batch_size { }}"]
)
def test_a_mistake_in_a_file_would_be_seen(messages, text):
    with pytest.raises(text_format.ParseError):
        text_format.Parse(text, messages["BatchingParameters"]())


# === Containers ===


def compose():
    (service,) = yaml.safe_load(read("compose.yaml"))["services"].values()
    return service


def deployment():
    return manifests("kubernetes.yaml")["Deployment"]["spec"]["template"]


def container():
    (found,) = deployment()["spec"]["containers"]
    return found


def test_compose_starts_the_server_on_this_machine_only():
    service = compose()
    assert service["image"] == IMAGE
    assert flags(service["command"]) == SHARED_FLAGS
    assert service["ports"] == ["127.0.0.1:8500:8500", "127.0.0.1:8501:8501"]
    assert service["volumes"][0].endswith("/exports/quickstart}:/models/xmc:ro")
    assert service["volumes"][1] == ".:/etc/xmc:ro"
    assert service["init"] is True


class StatusHandler(http.server.BaseHTTPRequestHandler):
    state = "AVAILABLE"

    def do_GET(self):
        known = self.path == STATUS
        self.send_response(200 if known else 404)
        self.end_headers()
        if known:
            self.wfile.write(json.dumps({"state": self.state}).encode())

    def log_message(self, *_):
        pass


def is_healthy(port):
    kind, *command = compose()["healthcheck"]["test"]
    assert kind == "CMD" and "/127.0.0.1/8501" in command[-1]
    command[-1] = command[-1].replace("/8501", f"/{port}")
    return subprocess.run(command, timeout=20, capture_output=True).returncode == 0


@pytest.mark.parametrize("state", ["AVAILABLE", "LOADING"])
def test_health_check_of_compose(state, monkeypatch):
    monkeypatch.setattr(StatusHandler, "state", state)
    with http.server.HTTPServer(("127.0.0.1", 0), StatusHandler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            assert is_healthy(server.server_port) is (state == "AVAILABLE")
        finally:
            server.shutdown()
            thread.join()


def test_health_check_of_compose_without_a_server():
    with socket.socket() as bound:  # but not listening
        bound.bind(("127.0.0.1", 0))
        assert not is_healthy(bound.getsockname()[1])


# === Kubernetes ===


def test_deployment_starts_the_server_of_the_other_files():
    found = container()
    assert found["image"] == IMAGE
    cores = found["resources"]["requests"]["cpu"]
    assert flags(found["args"]) == {
        **SHARED_FLAGS,
        "port": "8500",
        "rest_api_port": "8501",
        "tensorflow_intra_op_parallelism": cores,
        "tensorflow_inter_op_parallelism": cores,
    }
    ports = {port["name"]: port["containerPort"] for port in found["ports"]}
    assert ports == {"grpc": 8500, "rest": 8501}
    memory = {x["memory"] for x in found["resources"].values()}
    assert len(memory) == 1  # request and limit are the same


def test_probes_ask_for_the_status_of_the_model():
    found = container()
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert found[probe]["httpGet"] == {"path": STATUS, "port": "rest"}
    startup = found["startupProbe"]
    assert startup["periodSeconds"] * startup["failureThreshold"] == 600


def test_a_pod_has_the_time_to_finish_its_requests():
    # The server ignores SIGTERM, so that all of it has to pass in preStop.
    (sleep, seconds) = container()["lifecycle"]["preStop"]["exec"]["command"]
    grace = deployment()["spec"]["terminationGracePeriodSeconds"]
    rest_timeout, unrouting = 30, 10  # the default of the server, and of the files
    assert sleep == "sleep"
    assert unrouting + rest_timeout <= int(seconds) < grace <= int(seconds) + 5
    text = " ".join(PAGE.split())
    assert f"waits {seconds} seconds" in text and f"SIGKILL after {grace}" in text


def test_volumes_are_where_the_flags_look():
    mounts = {mount["name"]: mount for mount in container()["volumeMounts"]}
    assert mounts["models"]["mountPath"] == "/models"
    assert model_config().base_path == "/models/xmc"
    assert mounts["config"]["mountPath"] == "/etc/xmc"
    # With subPath, changes of the ConfigMap would not be visible.
    assert all(
        mount.keys() == {"name", "mountPath", "readOnly"} for mount in mounts.values()
    )
    volumes = {volume["name"]: volume for volume in deployment()["spec"]["volumes"]}
    claim = manifests("kubernetes.yaml")["PersistentVolumeClaim"]
    assert volumes["models"]["persistentVolumeClaim"] == {
        "claimName": claim["metadata"]["name"],
        "readOnly": True,
    }
    (made,) = yaml.safe_load(read("kustomization.yaml"))["configMapGenerator"]
    assert volumes["config"]["configMap"]["name"] == made["name"]
    in_map = {f"/etc/xmc/{name}" for name in made["files"]}
    assert in_map == {value for value in SHARED_FLAGS.values() if "/" in value}


def test_kustomization_names_existing_files():
    found = yaml.safe_load(read("kustomization.yaml"))
    assert found["resources"] == ["kubernetes.yaml"]
    for made in found["configMapGenerator"]:
        assert all((SERVING / name).is_file() for name in made["files"])
    # Otherwise moving a label would restart all servers.
    assert found["generatorOptions"] == {"disableNameSuffixHash": True}


def test_selectors_find_the_pods():
    found = manifests("kubernetes.yaml")
    labels = deployment()["metadata"]["labels"]
    assert found["Deployment"]["spec"]["selector"]["matchLabels"] == labels
    assert found["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == labels
    service = found["Service"]["spec"]
    assert service["selector"] == labels
    ports = {
        port["name"]: (port["port"], port["targetPort"]) for port in service["ports"]
    }
    assert ports == {"grpc": (8500, "grpc"), "rest": (8501, "rest")}
    assert "type" not in service  # ClusterIP: not reachable from outside


def test_autoscaler_owns_the_number_of_replicas():
    found = manifests("kubernetes.yaml")
    scaler = found["HorizontalPodAutoscaler"]["spec"]
    assert scaler["scaleTargetRef"]["name"] == found["Deployment"]["metadata"]["name"]
    assert "replicas" not in found["Deployment"]["spec"]
    assert 2 <= scaler["minReplicas"] < scaler["maxReplicas"]
    (metric,) = scaler["metrics"]
    share = metric["resource"]["target"]["averageUtilization"]
    text = " ".join(PAGE.split())
    assert f"up to {scaler['maxReplicas']} at {share} %" in text
    assert scaler["minReplicas"] == 3 and "Three replicas at least" in text


def test_prometheus_finds_the_metrics():
    annotations = deployment()["metadata"]["annotations"]
    assert annotations["prometheus.io/path"] == METRICS
    assert annotations["prometheus.io/port"] == "8501"


def test_kserve_serves_the_same_model():
    found = yaml.safe_load(read("kserve.yaml"))
    predictor = found["spec"]["predictor"]
    model = predictor["model"]
    kubernetes = manifests("kubernetes.yaml")
    claim = kubernetes["PersistentVolumeClaim"]["metadata"]["name"]
    assert found["metadata"]["name"] == "xmc"
    assert model["storageUri"] == f"pvc://{claim}/xmc"
    assert f"tensorflow/serving:{model['runtimeVersion']}" == IMAGE
    assert model["resources"]["requests"] == container()["resources"]["requests"]
    # The runtime's default limit would be below the request.
    assert model["resources"]["limits"] == model["resources"]["requests"]
    scaler = kubernetes["HorizontalPodAutoscaler"]["spec"]
    replicas = scaler["minReplicas"], scaler["maxReplicas"]
    assert (predictor["minReplicas"], predictor["maxReplicas"]) == replicas
    key = "terminationGracePeriodSeconds"
    assert predictor[key] == deployment()["spec"][key]
