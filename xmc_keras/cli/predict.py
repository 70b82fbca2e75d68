"""Label names and scores for texts of your own.

    python trainers/predict.py runs/quickstart "A terminal text editor" "A puzzle game"
    python trainers/predict.py runs/quickstart -k 10 < texts.txt
    python trainers/predict.py runs/quickstart --input texts.txt --output found.jsonl

Texts are arguments, lines of standard input, or lines of a file (plain, .gz, .xz). One
JSON object a text: {"text": ..., "labels": [...], "scores": [...]}, best label first.

With --output they go to a file (plain or .gz), which is there once it is whole. A
program that was stopped, in whatever way, goes on with --resume: what it had answered
is in OUTPUT.part, chunk by chunk of at most 4,096 texts, and the file that comes of it
has the same bytes as that of one go. Memory does not grow with the number of texts.
"""

import contextlib
import hashlib
import json
import logging
import os
import sys
from pathlib import Path

from xmc_keras.bad_input import BadInput
from xmc_keras.cli.program import command_parser
from xmc_keras.data.check_reads import check_reads_texts
from xmc_keras.data.formats.document import BadLines
from xmc_keras.evaluation.answer_file import AnswerFile
from xmc_keras.files.text_file import TextFile, text_lines
from xmc_keras.progress import Pace
from xmc_keras.runs.run_folder import MODELS, RunFolder

logger = logging.getLogger("predict")

# Texts in memory at a time, and characters that end a chunk of fewer: enough to sort
# by length.
CHUNK, CHARACTERS = 4096, 32_000_000


def main(argv=None):
    parser = command_parser("predict", __doc__)
    parser.add_argument("run", help="a run folder, for example runs/quickstart")
    parser.add_argument("texts", nargs="*", help="texts (standard input, line by line)")
    parser.add_argument("-k", type=int, default=5, help="labels a text (5)")
    parser.add_argument("--model", choices=MODELS, help="which of the run's models")
    parser.add_argument("--input", metavar="FILE", help="texts, one a line")
    parser.add_argument("--output", metavar="FILE", help="(standard output)")
    parser.add_argument(
        "--resume", action="store_true", help="go on with an unfinished --output"
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace an --output that is there"
    )
    parser.add_argument(
        "--skip-bad-lines",
        action="store_true",
        help="leave lines out that are not UTF-8, and count them, instead of stopping",
    )
    # Intermixed, so that texts may stand behind options.
    args = parser.parse_intermixed_args(argv)
    run = RunFolder(args.run)
    config = run.config()
    check_reads_texts(run)
    check(args, config)
    bad_lines, pace = BadLines(), Pace()
    skip = bad_lines if args.skip_bad_lines else None
    file = None
    if args.input:
        file = TextFile(args.input)
        pace = Pace(lambda: file.share)
        texts = text_lines(args.input, file, skip)
    elif args.texts:
        texts = text_lines("argument", map(os.fsencode, args.texts), skip)
    else:
        texts = text_lines("standard input", sys.stdin.buffer, skip)

    with contextlib.ExitStack() as stack:
        if file is not None:
            stack.enter_context(file)
        output = None
        if args.output:
            settings = settings_of(run, args, config)
            output = AnswerFile(args.output, settings, args.resume, args.overwrite)
            stack.enter_context(output)
            if output.finished:
                return logger.info("%s is whole already", args.output)
        model = None
        for chunk in chunks(texts):
            if output is not None and (kept := output.kept(len(chunk))):
                check_texts(kept, chunk, pace.done, args)
                pace.skip(len(chunk))
                continue
            # Once there is something to predict: TensorFlow takes seconds to come up.
            model = model or run.load_model(args.model)
            found = model.recommend(chunk, args.k, config.predict_batch_size)
            lines = map(answer, chunk, found)
            if output is not None:
                output.write(lines)
            else:
                for line in lines:
                    print(line, flush=True)
            pace.advance(len(chunk))
        if output is not None:
            output.finish()
            logger.info("%d texts answered in %s", pace.done, args.output)
    if bad_lines.count:
        logger.warning(
            "%d bad lines left out. The first: %s", bad_lines.count, bad_lines.first
        )


def check(args, config):
    """Raises BadInput for arguments that do not go together."""
    if not 1 <= args.k <= config.num_predictions:
        raise BadInput(
            f"Expected -k between 1 and num_predictions of the run, "
            f"{config.num_predictions}. Received: {args.k}."
        )
    if args.input and args.texts:
        raise BadInput("Expected texts or --input. Received: both.")
    if args.resume and args.overwrite:
        raise BadInput("Expected --resume or --overwrite. Received: both.")
    if (args.resume or args.overwrite) and not args.output:
        raise BadInput(
            "Expected --output with --resume and --overwrite. Received: none."
        )
    if args.resume and not args.input:
        raise BadInput(
            "Expected --input with --resume, to find the place to go on at. Received: "
            "none."
        )
    if args.input and args.output and Path(args.output).exists():
        if os.path.exists(args.input) and os.path.samefile(args.input, args.output):
            raise BadInput(
                "Expected an output that is not the input. Received: both in one. "
                "Choose another with --output.",
                args.output,
            )


def settings_of(run, args, config):
    """What answers depend on beside their texts."""
    names = [args.model] if args.model else MODELS
    paths = [run.path / f"{name}.keras" for name in names]
    path = next((path for path in paths if path.exists()), None)
    if path is None:
        run.load_model(args.model)  # it says what is missing
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(2**20):
            digest.update(block)
    return {
        "model": f"{path.name} {digest.hexdigest()[:16]}",
        "k": args.k,
        "predict_batch_size": config.predict_batch_size,
        "chunk": [CHUNK, CHARACTERS],
    }


def chunks(texts):
    """Lists of texts, cut at places that depend on the texts alone."""
    chunk, characters = [], 0
    for text in texts:
        chunk.append(text)
        characters += len(text)
        if len(chunk) == CHUNK or characters >= CHARACTERS:
            yield chunk
            chunk, characters = [], 0
    if chunk:
        yield chunk


def answer(text, found):
    """A line of JSON."""
    labels, scores = [x for x, _ in found], [round(s, 6) for _, s in found]
    found = {"text": text, "labels": labels, "scores": scores}
    return json.dumps(found, ensure_ascii=False)


def check_texts(lines, chunk, before, args):
    """Raises BadInput if lines of an earlier start answer other texts."""
    for number, (line, text) in enumerate(zip(lines, chunk), before + 1):
        try:
            same = json.loads(line)["text"] == text
        except (ValueError, KeyError, TypeError):
            same = False
        if not same:
            raise BadInput(
                "Expected the texts that the output was begun with. Received: "
                f"another text at place {number} of {args.output}.part. Start anew "
                "with --overwrite, or choose another with --output.",
                args.input,
            )
