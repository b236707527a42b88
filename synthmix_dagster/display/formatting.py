"""Values as text for people: numbers with few digits, and nothing that a page cannot hold."""

import math

#: From here on, and below the second, the digits of a number are fewer than its zeros.
_HUGE, _TINY = 1e15, 1e-6


def readable(value: object) -> str:
    r"""A number with four significant digits, a dash for nothing, text as it is.

    This is the one rule for numbers that people read: digits in groups of three, two of them where
    a number is small, and a power of ten only where it would be mostly zeros.

    Examples
    --------
    >>> readable(0.123456), readable(1234567.0), readable(None), readable("red")
    ('0.1235', '1,234,567', '-', 'red')
    >>> readable(7.367e-05), readable(-2.5e-9).replace("\N{MULTIPLICATION SIGN}", "x")
    ('0.000074', '-2.5 x 10⁻⁹')
    """
    if value is None:
        return "-"
    if not isinstance(value, float):
        return str(value)
    size = abs(value)
    if not math.isfinite(value) or size == 0:
        return f"{size if size == 0 else value:g}"
    if size < _TINY or size >= _HUGE:
        digits, _, power = f"{value:.1e}".partition("e")
        raised = str(int(power)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
        return f"{digits.removesuffix('.0')} \N{MULTIPLICATION SIGN} 10{raised}"
    if size >= 1e4:
        return f"{value:,.0f}"
    decimals = (4 if size >= 1e-3 else 2) - 1 - math.floor(math.log10(size))
    return _without_zeros(f"{value:,.{decimals}f}")


def signed(value: float) -> str:
    """A change, with its sign.

    Examples
    --------
    >>> signed(5), signed(-1234), signed(0.00012345)
    ('+5', '-1,234', '+0.00012')
    """
    text = f"{value:,}" if isinstance(value, int) else readable(value)
    return text if value < 0 else f"+{text}"


def _without_zeros(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text


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
