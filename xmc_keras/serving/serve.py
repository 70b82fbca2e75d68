"""Server of a model, with the interface of TensorFlow Serving."""

import contextlib
import gc
import logging
import os
import re
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from urllib.parse import quote

from xmc_keras.files.bad_input import BadInput
from xmc_keras.serving.server.find_versions import check_versions
from xmc_keras.serving.server.memory import limit_arenas
from xmc_keras.serving.server.rest.page.corrections_file import CorrectionsFile

logger = logging.getLogger(__name__)

GRACE = 30.0  # seconds to finish requests in, at the end
EXTRA = ("starlette", "uvicorn", "prometheus_client", "grpc", "tensorflow_serving")


def serve(
    folder,
    name=None,
    host="127.0.0.1",
    rest_port=8501,
    grpc_port=8500,
    max_body_mb=64,
    threads=None,
    poll_seconds=1.0,
    corrections=None,
    uri_prefix=None,
):
    """Serves a model from its version folders until SIGTERM or SIGINT arrives.

    REST and gRPC take the requests of TensorFlow Serving; the page at `/` is for
    people. The newest version is served, and new ones are picked up without losing a
    request. For development and small scale: one process, and no authentication. Call
    it in the main thread, which receives signals.

    Args:
        folder: string or path. The folder with the version folders.
        name: optional string. The model's name. Defaults to that of the folder.
        host: string. Defaults to `"127.0.0.1"`.
        rest_port: int. `0` takes any free port. Defaults to `8501`.
        grpc_port: optional int. `0` takes any free port, `None` serves REST only.
            Defaults to `8500`.
        max_body_mb: float. Largest request. Defaults to `64`.
        threads: optional int. Requests run at a time, by REST and gRPC each. Defaults
            to four times the number of cores.
        poll_seconds: float. Time between two looks for new versions. Defaults to `1`.
        corrections: optional string or path. A file of JSON lines, to which the page
            appends the labels that people accept. Defaults to `None`: the page shows
            labels and takes no corrections.
        uri_prefix: optional string. The URI of a label whose name is none, as Annif
            gets it, is this prefix and the name. By default Annif gets only labels
            that are URIs.

    Returns:
        Whether the REST server failed, a bool. Requests that took longer than 30
        seconds to finish may still be running.

    Raises:
        BadInput: the packages of serving are missing, an address is in use, the name is
            not valid, or corrections cannot be appended to their file.
    """
    name = name or Path(folder).resolve().name
    if not name or set(name) & set("/:"):
        raise BadInput(
            f"Expected a model name without / and :. Received: {name!r}.",
            remedy="Choose another `name`.",
        )
    check_uri_prefix(uri_prefix)
    threads = threads or 4 * (os.cpu_count() or 1)
    # Versions and ports before anything that takes time: an error is reported at once.
    check_versions(folder)
    if corrections is not None:
        corrections = CorrectionsFile(corrections)
        corrections.check()
    with bind_socket(host, rest_port, "rest_port") as rest_socket:
        if grpc_port is not None:  # gRPC binds it again, but reports less
            bind_socket(host, grpc_port, "grpc_port").close()
        models = folder, name, poll_seconds
        limits = max_body_mb, threads
        options = {"corrections": corrections, "uri_prefix": uri_prefix}
        return _serve(*models, rest_socket, grpc_port, *limits, options)


def check_uri_prefix(prefix):
    """Raises `BadInput` for what is no beginning of a URI."""
    if prefix is not None and not re.fullmatch(r"[A-Za-z][\w+.-]*:[!-~]+", prefix):
        raise BadInput(
            "Expected the beginning of a URI, such as http://example.org/. Received: "
            f"{prefix!r:.80}.",
            remedy="Choose another `uri_prefix`.",
        )


def _serve(
    folder,
    name,
    poll_seconds,
    rest_socket,
    grpc_port,
    max_body_mb,
    threads,
    options,
):
    uvicorn, build_app, build_grpc_server, ModelVersions = import_libraries()
    gc.collect()
    gc.freeze()  # libraries stay, and looking for unused objects is faster without them
    host, port = rest_socket.getsockname()[:2]
    host = f"[{host}]" if ":" in host else host
    max_body_bytes = int(max_body_mb * 2**20)
    models = ModelVersions(name, folder, poll_seconds)
    grpc_server = None
    if grpc_port is not None:
        grpc_server, grpc_port = build_grpc_server(
            models, f"{host}:{grpc_port}", threads, max_body_bytes
        )
    config = uvicorn.Config(
        build_app(models, max_body_bytes, threads, **options),
        log_config=None,
        log_level="warning",
        access_log=False,
        ws="none",
        timeout_graceful_shutdown=int(GRACE),
        timeout_keep_alive=75,  # longer than clients keep idle connections
    )
    rest_server = uvicorn.Server(config)
    models.start()

    # === Serve ===
    stopping, failed = threading.Event(), threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())

    def serve_rest():
        try:
            rest_server.run(sockets=[rest_socket])
        except BaseException:  # uvicorn ends with SystemExit, too
            logger.exception("The REST server failed")
            failed.set()
        finally:
            stopping.set()

    # Not in the main thread, where uvicorn would take the signals for itself.
    rest_thread = threading.Thread(target=serve_rest, daemon=True)
    rest_thread.start()
    if grpc_server:
        grpc_server.start()
    shown = {"0.0.0.0": "localhost", "[::]": "localhost"}.get(host, host)
    url = f"http://{shown}:{port}"
    logger.info("Page for people: %s/", url)
    if options["corrections"] is not None:
        logger.info("Corrections of the page: %s", options["corrections"].path)
    logger.info("REST: POST %s/v1/models/%s:predict", url, quote(name))
    logger.info("Annif: %s/v1/projects/%s/suggest", url, quote(name))
    if grpc_server:
        logger.info("gRPC: %s:%d, model name %s", shown, grpc_port, name)
    logger.info("For development and small scale; in production use TensorFlow Serving")
    stopping.wait()

    # === Finish what has begun ===
    logger.info("Stopping: no new requests, those that have begun are finished")
    deadline = time.monotonic() + GRACE
    rest_server.should_exit = True
    if grpc_server:
        grpc_server.stop(GRACE).wait(GRACE)
    rest_thread.join(max(0.0, deadline - time.monotonic()))
    if (
        models.stop(max(0.0, deadline - time.monotonic()))
        and not rest_thread.is_alive()
    ):
        logger.info("Stopped")
    else:
        logger.warning("Stopped; what took longer than %.0f s was cut off", GRACE)
    return failed.is_set()


def bind_socket(host, port, argument):
    """A listening socket; connections wait until they are accepted."""
    found = None
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        found = socket.socket(family, kind, protocol)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(address)
        found.listen(128)
        return found
    except (OSError, UnicodeError) as error:
        if found is not None:
            found.close()
        raise BadInput(
            f"Expected an address to listen at. Received: {host}:{port}, "
            f"{getattr(error, 'strerror', None) or error}.",
            remedy=f"Choose another `{argument}` or `host`.",
        ) from None


def import_libraries():
    """What serving needs, imported after all arguments are checked."""
    limit_arenas()
    # TensorFlow's own allocator would keep the memory of a version that has left.
    os.environ.setdefault("TF_ONEDNN_USE_SYSTEM_ALLOCATOR", "1")
    try:
        # Keras, which TensorFlow imports, would import them: 85 MB, and a second.
        with hidden("matplotlib", "sklearn"):
            import tensorflow  # noqa: F401
        import uvicorn

        from xmc_keras.serving.server.grpc_service import build_grpc_server
        from xmc_keras.serving.server.model_versions import ModelVersions
        from xmc_keras.serving.server.rest.rest_app import build_app
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in EXTRA:
            raise
        raise BadInput(
            f"Expected the packages of the server. Received: no {error.name}.",
            remedy="Run: pip install 'xmc-keras[serve]'",
        ) from None
    return uvicorn, build_app, build_grpc_server, ModelVersions


@contextlib.contextmanager
def hidden(*packages):
    """Makes packages that are not imported yet look as if they were not installed."""
    packages = set(packages) - set(sys.modules)
    sys.modules.update(dict.fromkeys(packages))
    try:
        yield
    finally:
        for package in packages:
            del sys.modules[package]
