"""Numbers with their nouns, for messages."""


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """Return a number and its noun: "1 case", "2 cases".

    Args:
        number: how many.
        noun: for one of them.
        plural: for others; None adds an "s".
    """
    return f"{number} {noun if number == 1 else plural or f'{noun}s'}"
