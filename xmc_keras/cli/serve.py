"""Serves a model from its version folders, as TensorFlow Serving does, without it.

    python export/serve.py exports/quickstart
    python export/serve.py exports/quickstart --name tags --rest-port 80 --host 0.0.0.0

REST and gRPC take the requests of TensorFlow Serving; the page at / is for people.
The newest version is served, and new ones are followed without losing a request.
Clients that come while the model is being loaded wait. On SIGTERM or Ctrl-C what has
begun is finished, for at most 30 seconds.

This is for development and small scale: one process, and no authentication. In
production serve the same folder with TensorFlow Serving, see export/README.md.
"""

import logging
import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from urllib.parse import quote

from xmc_keras.bad_input import BadInput
from xmc_keras.cli.program import command_parser

logger = logging.getLogger("serve")

GRACE = 30.0  # seconds to finish requests in, at the end
EXTRA = ("starlette", "uvicorn", "prometheus_client", "grpc", "tensorflow_serving")


def main(argv=None):
    parser = command_parser("serve", __doc__)
    parser.add_argument("folder", help="the folder with the version folders")
    parser.add_argument("--name", help="the model's name (the folder's)")
    parser.add_argument("--rest-port", type=int, default=8501, help="(8501; 0: any)")
    parser.add_argument("--grpc-port", type=int, default=8500, help="(8500; 0: any)")
    parser.add_argument("--no-grpc", action="store_true", help="REST only")
    parser.add_argument("--host", default="127.0.0.1", help="(127.0.0.1)")
    parser.add_argument(
        "--max-body-mb", type=float, default=64, help="largest request (64)"
    )
    parser.add_argument(
        "--threads",
        type=int,
        default=4 * (os.cpu_count() or 1),
        help="requests run at a time, by REST and gRPC each (4 times the cores)",
    )
    parser.add_argument(
        "--poll-seconds", type=float, default=1, help="between looks for versions (1)"
    )
    args = parser.parse_args(argv)
    check(args)
    name = args.name or Path(args.folder).resolve().name
    if not name or set(name) & set("/:"):
        raise BadInput(
            f"Expected a model name without / and :. Received: {name!r}. Choose one "
            "with --name."
        )
    # Until there is something to finish, a signal just ends the program.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    # Ports before anything that takes time: one in use is found at once.
    with bound_socket(args.host, args.rest_port, "--rest-port") as rest_socket:
        if not args.no_grpc:  # gRPC binds it again, but says less of what is wrong
            bound_socket(args.host, args.grpc_port, "--grpc-port").close()
        serve(args, name, rest_socket)


def serve(args, name, rest_socket):
    """Loads the model, and serves it until a signal comes."""
    uvicorn, build_app, build_grpc_server, ModelVersions = libraries()
    host, port = rest_socket.getsockname()[:2]
    host = f"[{host}]" if ":" in host else host
    max_body_bytes = int(args.max_body_mb * 2**20)
    models = ModelVersions(name, args.folder, args.poll_seconds)
    grpc_server = None
    if not args.no_grpc:
        grpc_server, grpc_port = build_grpc_server(
            models, f"{host}:{args.grpc_port}", args.threads, max_body_bytes
        )
    config = uvicorn.Config(
        build_app(models, max_body_bytes, args.threads),
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
    logger.info("REST: POST %s/v1/models/%s:predict", url, quote(name))
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
    logging.shutdown()
    # Python's own end would wait for threads that are still at it: a request that was
    # cut off, a version that is being loaded.
    os._exit(failed.is_set())


def check(args):
    """Raises `BadInput` for options out of range."""
    for option, value, least, most in (
        ("--rest-port", args.rest_port, 0, 65535),
        ("--grpc-port", args.grpc_port, 0, 65535),
        ("--threads", args.threads, 1, 4096),
        ("--max-body-mb", args.max_body_mb, 0.001, 2000),  # gRPC has an int32
        ("--poll-seconds", args.poll_seconds, 0.01, 86400),
    ):
        if not least <= value <= most:
            raise BadInput(
                f"Expected {option} between {least} and {most}. Received: {value}."
            )


def bound_socket(host, port, option):
    """A socket that listens; connections wait until they are accepted."""
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
            f"{getattr(error, 'strerror', None) or error}. Choose another with "
            f"{option} or --host."
        ) from None


def libraries():
    """What serving needs, imported once the arguments are known to be good."""
    try:
        import uvicorn

        from xmc_keras.serving.server.grpc_service import build_grpc_server
        from xmc_keras.serving.server.model_versions import ModelVersions
        from xmc_keras.serving.server.rest.rest_app import build_app
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in EXTRA:
            raise
        raise BadInput(
            f"Expected the libraries of the server. Received: no {error.name}. Install "
            "them: pip install '.[serve]'"
        ) from None
    return uvicorn, build_app, build_grpc_server, ModelVersions
