"""An error of the server, with the code that its clients see."""


class ServingError(Exception):
    """What TensorFlow Serving answers with a status other than OK.

    Args:
        code: string. A canonical name: `"INVALID_ARGUMENT"`, `"NOT_FOUND"`, ...
        message: string.

    Example:

    >>> ServingError("NOT_FOUND", "Servable not found for request: Latest(m)").code
    'NOT_FOUND'
    """

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code
        self.message = message
