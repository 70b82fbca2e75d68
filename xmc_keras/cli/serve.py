"""Serve a model from its version folders, like TensorFlow Serving, without it.

    xmc serve exports/quickstart
    xmc serve exports/quickstart --name tags --rest-port 80 --host 0.0.0.0
    xmc serve exports/quickstart --corrections corrections.jsonl

REST and gRPC accept the requests of TensorFlow Serving; the page at / is for people
who tag. With --corrections FILE it takes what they accept, reject and add, and keeps it
in this file: a line {"text": "...", "labels": ["...", ...]} for each text, which xmc
learn reads. Without it the page shows labels alone.

REST and gRPC accept the requests of TensorFlow Serving. Annif's http backend asks at
/v1/projects/NAME/suggest for labels whose names are URIs; with --uri-prefix, others are
the prefix and the name.

The newest version is served, and new ones are picked up without losing a request.
Requests that arrive while the model is being loaded wait. On SIGTERM or Ctrl-C running
requests are finished, for at most 30 seconds.

This is for development and small scale: one process, and no authentication. In
production serve the same folder with TensorFlow Serving; the documentation shows how.
"""

import logging
import os
import signal
import sys

from xmc_keras.cli.program import command_parser
from xmc_keras.files.bad_input import BadInput
from xmc_keras.serving.serve import serve


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
        help="concurrent requests of REST and of gRPC (4 times the cores)",
    )
    parser.add_argument(
        "--poll-seconds", type=float, default=1, help="between checks for versions (1)"
    )
    parser.add_argument(
        "--corrections",
        metavar="FILE",
        help="file to which the page appends corrections (none: it takes none)",
    )
    parser.add_argument(
        "--uri-prefix",
        metavar="URI",
        help="of labels that are no URIs, for Annif, such as http://example.org/",
    )
    args = parser.parse_args(argv)
    check(args)
    # Before there are requests to finish, a signal simply ends the program.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    failed = serve(
        args.folder,
        args.name,
        args.host,
        args.rest_port,
        None if args.no_grpc else args.grpc_port,
        args.max_body_mb,
        args.threads,
        args.poll_seconds,
        args.corrections,
        args.uri_prefix,
    )
    logging.shutdown()
    # A normal exit would wait for threads that are still running: a request that was
    # cut off, or a version that is being loaded.
    os._exit(failed)


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
