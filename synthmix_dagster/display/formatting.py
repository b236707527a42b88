"""Values as text for people: numbers with few digits, and nothing that a page cannot hold."""


def readable(value: object) -> str:
    """A number with four significant digits, a dash for nothing, text as it is.

    Examples
    --------
    >>> readable(0.123456), readable(1234567.0), readable(None), readable("red")
    ('0.1235', '1,234,567', '-', 'red')
    """
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.0f}" if 1e4 <= abs(value) < 1e15 else f"{value:.4g}"
    return str(value)


def shown(value: object) -> str:
    r"""A value as a template shows it: counts in groups of three digits, only printable characters.

    Characters that no page may contain, such as control characters and lone surrogates, become
    U+FFFD or a question mark. It escapes nothing: the template does.

    Examples
    --------
    >>> shown(12345), shown(0.123456), shown(True), shown("a\x00b")
    ('12,345', '0.1235', 'yes', 'a�b')
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = f"{value:,}" if isinstance(value, int) else readable(value)
    text = text.encode("utf-8", "replace").decode("utf-8")
    return "".join(
        character if character.isprintable() or character in "\n\t" else "\N{REPLACEMENT CHARACTER}"
        for character in text
    )
