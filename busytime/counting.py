"""How a number of things is said. Pure."""


def several(count: int, noun: str, plural: str = "") -> str:
    """Say how many there are of something, as in "1 entry" and "1,200 entries".

    Args:
        count: How many.
        noun: One of them.
        plural: Many of them, where that is not the noun with an s.
    """
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {plural or noun + 's'}"
