"""A size that was chosen for other data."""


class AtMost(int):
    """An integer of a config that is a limit: data may be too small for it.

    `load_config` makes one of a size that a recipe chose for its own data when that
    recipe is used on other data. `resolve_config` replaces it by a size that fits,
    where it raises an error for an integer.

    Example:

    >>> size = AtMost(12_000)
    >>> size == 12_000, size
    (True, 12000)
    """
