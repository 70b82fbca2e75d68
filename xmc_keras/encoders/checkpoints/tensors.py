"""Reading the tensors of a Hugging Face checkpoint without PyTorch."""

import json
from pathlib import Path

from xmc_keras.encoders.checkpoints.torch_file import read_torch_file
from xmc_keras.files.bad_input import BadInput

SAFETENSORS, TORCH = "model.safetensors", "pytorch_model.bin"


def read_checkpoint_tensors(folder):
    """Reads the tensors of `model.safetensors`, else of `pytorch_model.bin`.

    Weights split over several files are read through `model.safetensors.index.json`
    or `pytorch_model.bin.index.json`.

    Args:
        folder: path.

    Returns:
        `(tensors, path)`: a dictionary of name to array, and the file read.

    Raises:
        BadInput: there is no such file, or it cannot be read.
    """
    for name, read in ((SAFETENSORS, _read_safetensors), (TORCH, read_torch_file)):
        path, index = Path(folder, name), Path(folder, f"{name}.index.json")
        if path.is_file():
            return read(path), path
        if index.is_file():
            try:
                files = set(json.loads(index.read_text("utf-8"))["weight_map"].values())
            except (ValueError, KeyError, AttributeError, TypeError) as error:
                raise BadInput(
                    "Expected an index of weights with a weight_map. Received: "
                    f"another file ({error!r}). Download it again.",
                    index,
                ) from None
            # File names only: an index must not point outside its folder.
            parts = [read(Path(folder, Path(file).name)) for file in sorted(files)]
            return {key: x for part in parts for key, x in part.items()}, index
    raise BadInput(
        f"Expected weights, {SAFETENSORS} or {TORCH}. Received: neither. Copy one of "
        "them into the folder.",
        folder,
    )


def _read_safetensors(path):
    # Imported here, as only this function needs it.
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="np") as file:
            return {name: file.get_tensor(name) for name in file.keys()}
    except (OSError, SafetensorError, TypeError) as error:
        raise BadInput(
            f"Expected a safetensors file. Received: {error}. Download it again.", path
        ) from None
