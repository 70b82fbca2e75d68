"""Train several configs for several seeds: `xmc sweep` from a clone."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from xmc_keras.cli.program import main  # noqa: E402

if __name__ == "__main__":
    main(["sweep", *sys.argv[1:]])
