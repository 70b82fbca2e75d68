"""Label names and scores for texts of your own.

    python trainers/predict.py runs/quickstart "A terminal text editor" "A puzzle game"
    python trainers/predict.py runs/quickstart -k 10 < texts.txt

Texts are arguments, or lines of standard input. One JSON object a text:
{"text": ..., "labels": [...], "scores": [...]}, best label first.
"""

import argparse
import itertools
import json
import os
import sys

from xmc_keras import program
from xmc_keras.bad_input import BadInput
from xmc_keras.run_folder import MODELS, RunFolder
from xmc_keras.text_lines import text_lines

CHUNK = 4096  # texts in memory at a time


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", help="a run folder, for example runs/quickstart")
    parser.add_argument("texts", nargs="*", help="texts (standard input, line by line)")
    parser.add_argument("-k", type=int, default=5, help="labels a text (5)")
    parser.add_argument("--model", choices=MODELS, help="which of the run's models")
    # Intermixed, so that texts may stand behind options.
    args = parser.parse_intermixed_args()
    run = RunFolder(args.run)
    config = run.config()
    if not 1 <= args.k <= config.num_predictions:
        raise BadInput(
            f"Expected -k between 1 and num_predictions of the run, "
            f"{config.num_predictions}. Received: {args.k}."
        )
    texts = text_lines("argument", map(os.fsencode, args.texts))
    if not args.texts:
        texts = text_lines("standard input", sys.stdin.buffer)
    model = None
    while chunk := list(itertools.islice(texts, CHUNK)):
        # Once there is something to predict: TensorFlow takes seconds to come up.
        model = model or run.load_model(args.model)
        found = model.recommend(chunk, args.k, config.predict_batch_size)
        for text, row in zip(chunk, found):
            labels, scores = [x for x, _ in row], [round(s, 6) for _, s in row]
            answer = {"text": text, "labels": labels, "scores": scores}
            print(json.dumps(answer, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    program.run(main)
