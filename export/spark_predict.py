"""Predict by an export with Apache Spark: `xmc spark-predict` from a clone."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from xmc_keras.cli.program import main  # noqa: E402

if __name__ == "__main__":
    main(["spark-predict", *sys.argv[1:]])
