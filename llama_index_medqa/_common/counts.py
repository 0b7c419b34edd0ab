"""Numbers with their nouns and units, for messages."""


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """Return a number and its noun: "1 case", "2 cases".

    Args:
        number: how many.
        noun: for one of them.
        plural: for others; None adds an "s".
    """
    return f"{number} {noun if number == 1 else plural or f'{noun}s'}"


def sized(size: int) -> str:
    """Return a size in the unit that suits it.

    "1 byte", "2.5 kB", "1,234.5 MB".

    Args:
        size: bytes.
    """
    if size < 1e3:
        return counted(size, "byte")
    return f"{size / 1e3:.1f} kB" if size < 1e6 else f"{size / 1e6:,.1f} MB"


def lasting(seconds: float) -> str:
    """Return a duration in the unit that suits it.

    "less than a minute", "1 minute", "2.5 hours".

    Args:
        seconds: how long.
    """
    if seconds < 60:
        return "less than a minute"
    return counted(round(seconds / 60), "minute") if seconds < 3600 else f"{seconds / 3600:,.1f} hours"
