"""Error with the status code that clients see."""


class ServingError(Exception):
    """An error that TensorFlow Serving reports with a status other than OK.

    Args:
        code: string. Canonical status name: `"INVALID_ARGUMENT"`, `"NOT_FOUND"`, ...
        message: string.

    Example:

    >>> ServingError("NOT_FOUND", "Servable not found for request: Latest(m)").code
    'NOT_FOUND'
    """

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code
        self.message = message
