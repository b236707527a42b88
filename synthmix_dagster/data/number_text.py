"""Numbers that arrive as text: the narrowest type that holds every one of them.

Databases have numbers of any length (`numeric` without a precision). Their drivers hand them over
as text, so that the values alone can say what type they need.
"""

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

_PLAIN = r"^-?[0-9]+(\.[0-9]+)?$"
#: Digits that a decimal of 64, 128 and 256 bits holds.
_DECIMALS = ((18, pa.decimal128), (38, pa.decimal128), (76, pa.decimal256))


@dataclass(frozen=True)
class NumberRange:
    """What was seen of a column.

    Attributes
    ----------
    whole : int
        Most digits before the decimal point.
    scale : int
        Most digits after it.
    least, greatest : int
        Ends of the whole numbers, where there are only such.
    inexact : bool
        Whether a value is infinite, not a number, or written with an exponent.
    """

    whole: int = 1
    scale: int = 0
    least: int = 0
    greatest: int = 0
    inexact: bool = False

    def including(self, texts: pa.ChunkedArray) -> "NumberRange":
        """The same with more values.

        Examples
        --------
        >>> seen = NumberRange().including(pa.chunked_array([["1.25", "-300"]]))
        >>> seen.whole, seen.scale, str(seen.type)
        (3, 2, 'decimal128(18, 2)')
        """
        texts = texts.drop_null()
        if not len(texts):
            return self
        plain = pc.match_substring_regex(texts, _PLAIN)
        inexact = self.inexact or not pc.all(plain).as_py()
        texts = texts.filter(plain)
        if not len(texts):
            return self.joined(NumberRange(inexact=inexact))
        unsigned = pc.utf8_ltrim(texts, "-")
        length, point = pc.utf8_length(unsigned), pc.find_substring(unsigned, ".")
        none = pc.less(point, 0)
        whole = pc.max(pc.if_else(none, length, point)).as_py()
        after = pc.subtract(pc.subtract(length, point), 1)
        scale = pc.max(pc.if_else(none, 0, after)).as_py()
        ends = (0, 0)
        if scale == 0 and whole <= _DECIMALS[-1][0]:
            numbers = pc.min_max(texts.cast(pa.decimal256(_DECIMALS[-1][0], 0)))
            ends = int(numbers["min"].as_py()), int(numbers["max"].as_py())
        return self.joined(NumberRange(whole, scale, *ends, inexact))

    def joined(self, other: "NumberRange") -> "NumberRange":
        """What was seen of two parts of a column."""
        return NumberRange(
            max(self.whole, other.whole),
            max(self.scale, other.scale),
            min(self.least, other.least),
            max(self.greatest, other.greatest),
            self.inexact or other.inexact,
        )

    @property
    def type(self) -> pa.DataType:
        """An integer of 64 bits, a decimal, or a float where none of these holds all values."""
        digits = self.whole + self.scale
        if self.inexact:
            return pa.float64()
        if self.scale == 0 and self.least >= -(2**63) and self.greatest < 2**63 and digits < 20:
            return pa.int64()
        for most, of in _DECIMALS:
            if digits <= most:
                return of(most, self.scale)
        return pa.float64()

    @property
    def is_exact(self) -> bool:
        """Whether no value is rounded."""
        return not pa.types.is_floating(self.type)
