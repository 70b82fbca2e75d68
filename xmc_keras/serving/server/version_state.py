"""State of a version of a model."""

import dataclasses


@dataclasses.dataclass
class VersionState:
    """State of a version, in TensorFlow Serving's terms.

    Args:
        version: integer.
        state: string. `"LOADING"`, `"AVAILABLE"`, `"UNLOADING"` or `"END"`.
        error_code: string. Why loading failed. Defaults to `"OK"`.
        error_message: string.

    Example:

    >>> VersionState(2, "END", "DATA_LOSS", "Truncated").error_code
    'DATA_LOSS'
    """

    version: int
    state: str
    error_code: str = "OK"
    error_message: str = ""
