"""What others wrote, for a person's screen or a line of a log."""


def legible(text: str) -> str:
    """Return a text on one line, without what could play tricks on a screen: a ? for each such character."""
    return text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text)
