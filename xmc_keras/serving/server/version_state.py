"""What is known of a version of a model."""

import dataclasses


@dataclasses.dataclass
class VersionState:
    """A version's state, in the words of TensorFlow Serving.

    Args:
        version: integer.
        state: string. `"LOADING"`, `"AVAILABLE"`, `"UNLOADING"` or `"END"`.
        error_code: string. Why it could not be loaded. Defaults to `"OK"`.
        error_message: string.

    Example:

    >>> VersionState(2, "END", "DATA_LOSS", "Truncated").error_code
    'DATA_LOSS'
    """

    version: int
    state: str
    error_code: str = "OK"
    error_message: str = ""
