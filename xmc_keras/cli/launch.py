"""Train with several processes of this machine, which share each batch.

    xmc launch --workers 2 configs/debian24k.yaml
    xmc launch --workers 8 wiki500k --set shard_labels=true --resume

Starts xmc fit in several processes with distribute: multi_worker, each with its share
of the cores and of the GPUs, shows the output of the first one, and ends all if one
fails. What follows --workers are the arguments of xmc fit. The result is that of one
process: batch_size is the number of documents of all workers together. A run that was
interrupted continues with --resume, also with another number of workers.

On several machines, start xmc fit RECIPE --set distribute=multi_worker on each, with
TF_CONFIG set (Kubeflow does so), or by srun in a SLURM job.
"""

import argparse
import sys

from xmc_keras.cli.program import command_parser
from xmc_keras.files.bad_input import BadInput
from xmc_keras.training.child_process import end_with_parent
from xmc_keras.training.launch_workers import launch_workers


def main(argv=None):
    argv = sys.argv[1:] if argv is None else argv
    if argv[:1] == ["--process"]:  # of a worker
        from xmc_keras.cli import fit

        end_with_parent()
        return fit.main(argv[1:])
    parser = command_parser("launch", __doc__)
    parser.add_argument(
        "--workers", type=int, required=True, metavar="N", help="number of processes"
    )
    parser.add_argument(
        "arguments",
        nargs=argparse.REMAINDER,
        metavar="RECIPE ...",
        help="a recipe or a folder of data, and options of xmc fit",
    )
    args = parser.parse_args(argv)
    if args.workers < 1:
        raise BadInput(f"Expected --workers of at least 1. Received: {args.workers}.")
    if not args.arguments:
        raise BadInput("Expected a recipe or a folder of data. Received: none.")
    command = [sys.executable, "-m", "xmc_keras.cli.program", "launch", "--process"]
    command += [*args.arguments, "--set", "distribute=multi_worker"]
    sys.exit(launch_workers(command, args.workers))
