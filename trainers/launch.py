"""Train with several processes of this machine: `xmc launch` from a clone."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from xmc_keras.cli.program import main  # noqa: E402

if __name__ == "__main__":
    main(["launch", *sys.argv[1:]])
