"""Categories in a release: levels that both sides have stay levels, in their order.

Rows travel as the values that categories stand for, since levels differ from file to file and from
side to side. They become categories again as the shards are written.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from synthmix_dagster.data.dataset import Dataset

#: Levels that a column may have: more of them are values, and Parquet would not keep them together.
_MOST = 1000


class Levels(NamedTuple):
    """Levels of a column in their order, and whether the order means anything."""

    values: tuple[str, ...]
    ordered: bool

    @property
    def type(self) -> pa.DataType:
        """Type of the column in a release."""
        return pa.dictionary(pa.int32(), pa.string(), self.ordered)

    def packed(self, values: pa.ChunkedArray) -> pa.ChunkedArray:
        """A column of text as categories."""
        levels = pa.array(self.values, pa.string())
        chunks = [
            pa.DictionaryArray.from_arrays(
                pc.index_in(chunk.cast(pa.string()), value_set=levels), levels, ordered=self.ordered
            )
            for chunk in values.chunks
        ]
        return pa.chunked_array(chunks, type=self.type)


def common_levels(real: Dataset, generated: Iterable[Dataset]) -> dict[str, Levels]:
    """Levels of the columns of text that are categories on every side that has them.

    Those of the real rows come first; an order means something if it is the same on all sides.
    """
    sides = [real, *generated]
    common = [each.name for each in real.schema if all(_is_packed(s, each.name) for s in sides)]
    if not common:
        return {}
    found = [_levels_of(side, [name for name in common if name in side.columns]) for side in sides]
    levels = {}
    for name in common:
        own = [list(each[name]) for each in found if name in each]
        union = list(dict.fromkeys(value for values in own for value in values))
        if 0 < len(union) <= _MOST:
            places = {value: place for place, value in enumerate(union)}
            alike = all(
                [places[value] for value in values] == sorted(places[value] for value in values)
                for values in own
            )
            ordered = alike and all(
                side.schema.field(name).type.ordered for side in sides if name in side.columns
            )
            levels[name] = Levels(tuple(union), ordered)
    return levels


def _is_packed(dataset: Dataset, name: str) -> bool:
    """Whether a column holds categories of text, or is not there."""
    if name not in dataset.columns:
        return True
    kind = dataset.schema.field(name).type
    text = (pa.string(), pa.large_string())
    return pa.types.is_dictionary(kind) and kind.value_type in text


def _levels_of(dataset: Dataset, names: list[str]) -> Mapping[str, dict[str, None]]:
    """All levels of some columns, in order; those that no row has as well."""
    levels: dict[str, dict[str, None]] = {name: {} for name in names}
    if not names:
        return levels
    for part in dataset.select(names).over(partial(_levels_in, names)):
        for name, known in part.items():
            levels[name].update(dict.fromkeys(known))
    return levels


def _levels_in(names: Sequence[str], tables: Iterable[pa.Table]) -> dict[str, list[str]]:
    """Levels of some rows, in order; there are enough once there are too many."""
    levels: dict[str, dict[str, None]] = {name: {} for name in names}
    for table in tables:
        for name in names:
            if len(levels[name]) <= _MOST:
                for chunk in table.column(name).chunks:
                    known = chunk.dictionary.drop_null().to_pylist()
                    levels[name].update(dict.fromkeys(known))
    return {name: list(known) for name, known in levels.items()}
