"""What docs/how_to/serving.md says, as far as it can be checked."""

import json
import re
import shlex

import yaml

from tests.helpers.project import PROJECT
from tests.helpers.serving_folder import (
    EXPORT,
    GRAPH,
    IMAGE,
    METRICS,
    PAGE,
    SERVING,
    STATUS,
)
from xmc_keras.cli.program import find_module


def table(heading):
    """Rows of the page's table whose first heading is `heading`, as cells."""
    lines = iter(PAGE.splitlines())
    for line in lines:
        if line.startswith(f"| {heading} |"):
            break
    next(lines)
    rows = []
    for line in lines:
        if not line.startswith("|"):
            return rows
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def commands(start):
    """Commands of the page that begin with `start`, in words."""
    code = "\n".join(re.findall(r"^```bash\n(.*?)^```$", PAGE, re.M | re.S))
    code = code.replace("\\\n", " ")
    lines = [line for line in code.splitlines() if line.startswith(start)]
    return [shlex.split(line, comments=True) for line in lines]


def test_docker_run_is_what_compose_has():
    with_config, shortest = commands("docker run")
    services = yaml.safe_load((SERVING / "compose.yaml").read_text("utf-8"))["services"]
    service = services["xmc"]
    image = with_config.index(IMAGE)
    assert with_config[image + 1 :] == service["command"]
    options = with_config[:image]
    assert [options[i + 1] for i, x in enumerate(options) if x == "-p"] == (
        service["ports"]
    )
    assert "--init" in options
    assert "$PWD/exports/quickstart:/models/xmc:ro" in options
    assert "$PWD/export/serving:/etc/xmc:ro" in options
    assert shortest[-1] == IMAGE
    assert "MODEL_NAME=xmc" in shortest
    assert "127.0.0.1:8501:8501" in shortest


def test_page_lists_the_files():
    listed = {cells[0].strip("`") for cells in table("file in `export/serving/`")}
    assert listed == {path.name for path in SERVING.iterdir()}


def test_page_has_names_ports_and_paths():
    assert dict(table("what | where")) == {
        "model name": "`xmc`",
        "version folders, in the container": "`/models/xmc`",
        "configuration, in the container": "`/etc/xmc`",
        "gRPC port": "8500",
        "REST port, metrics": "8501",
        "metrics path": f"`{METRICS}`",
    }


def test_page_is_of_one_image():
    for text in [PAGE, *(path.read_text("utf-8") for path in SERVING.iterdir())]:
        assert set(re.findall(r"tensorflow/serving:\S+", text)) <= {IMAGE}
    assert IMAGE.split(":")[1] in PAGE


def test_page_has_the_signatures_of_the_export():
    text = (GRAPH / "serving_module.py").read_text("utf-8")
    exported = dict(re.findall(r"^    - `(\w+)\((.*?)\)`", text, re.M))
    listed = {
        cells[0].strip("`"): ", ".join(re.findall(r"`(\w+)`", cells[1]))
        for cells in table("signature")
    }
    assert listed == exported


def test_page_asks_signatures_with_their_inputs():
    inputs = {
        cells[0].strip("`"): set(re.findall(r"`(\w+)`", cells[1]))
        for cells in table("signature")
    }
    asked = set()
    for _, url, _, body in commands("curl"):
        assert url == f"http://localhost:8501{STATUS}:predict"
        body = json.loads(body)
        name = body.pop("signature_name", "serving_default")
        ((form, rows),) = body.items()
        assert form in ("instances", "inputs")
        for row in rows:
            given = set(row) if isinstance(row, dict) else {"text"}
            assert given == inputs[name]
        asked.add(name)
    assert asked == set(inputs)


def test_page_shows_existing_programs_and_options():
    shown = commands("xmc ")
    assert len(shown) >= 5
    for _, command, *words in shown:
        path = find_module(command).replace(".", "/")
        source = (PROJECT / f"{path}.py").read_text("utf-8")
        for word in words:
            assert not word.startswith("-") or f'"{word}"' in source


def test_page_says_what_the_export_program_takes(call):
    usage = call("export", "--help", tensorflow=False).stdout
    usage = " ".join(usage.split("options:")[1].split())
    rows = table("option")
    listed = [cells[0].strip("`") for cells in rows]
    assert set(listed) == set(re.findall(r"--[\w-]+", usage)) - {"--help"}
    for option, default, meaning in rows:
        described = usage.split(option.strip("`"), 1)[1].split(" --")[0]
        if re.fullmatch(r"\d+|`float32`", default):
            assert re.search(rf"\({default.strip('`')}[,)]", described)
        for precision in re.findall(r"`((?:float|int)\d+)`", default + meaning):
            assert precision in described


def test_page_names_existing_files():
    named = set(re.findall(r"`([\w.]+\.(?:py|yaml|txt|config))`", PAGE))
    assert named and named <= {path.name for path in SERVING.iterdir()}
    paths = re.findall(r"`((?:tests|xmc_keras)/[\w/]+\.py)`", PAGE)
    modules = re.findall(r"python -m (benchmarks[.\w]+)", PAGE)
    assert len(paths) >= 2 and len(modules) >= 3
    for path in [*paths, *(f"{module.replace('.', '/')}.py" for module in modules)]:
        assert (PROJECT / path).is_file(), path


def test_page_says_that_containers_were_not_run():
    rows = dict(table("what | how"))
    assert rows["`docker run`, Compose, Kubernetes, KServe, a GPU"] == "not run"
    assert "Not run: no Docker daemon" in PAGE


def test_the_folder_of_server_files_leads_to_the_page():
    stub = (EXPORT / "README.md").read_text("utf-8")
    assert "`docs/how_to/serving.md`" in stub and len(stub.splitlines()) < 20
