"""Seconds as a person says them."""


def clock(seconds):
    """Seconds as a person says them.

    >>> clock(42), clock(600), clock(7300)
    ('42 s', '10 min', '2 h 2 min')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"
