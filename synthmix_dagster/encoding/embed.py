"""Unstructured columns as vectors: text by its words, anything else by a function of the user.

The column itself stays as it is, in frames and releases; the vector is what distances, ratios and
drift see of it. What is learned here is learned from the real rows alone.
"""

import hashlib
import inspect
import os
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from synthmix_dagster.encoding.options import TEXT
from synthmix_dagster.encoding.references import load_reference
from synthmix_dagster.errors import ConfigError, DataError
from synthmix_dagster.redaction import cause_of

Vectors = NDArray[np.float64]

#: Coordinates of a text, and real texts that each of them takes to be learned.
MAX_COORDINATES = 30
TEXTS_EACH = 20
#: Fits behind the vectors of the real texts.
FOLDS = 25
_WORD = re.compile(r"\w+")


class Embedding(Protocol):
    """A fitted map from values to vectors of one length."""

    def vectors(self, values: Sequence[Any], dataset: str) -> Vectors:
        """Vectors of values, none of which is missing, of shape (n_values, n_coordinates)."""


def fit_embedding(how: str, real: pd.Series) -> Embedding:
    """Learn an embedding from the real values of a column.

    Parameters
    ----------
    how : str
        ``text``, or ``module:object`` for a callable from a list of values to an array.
    real : Series

    Raises
    ------
    DataError
        The column holds no text, or texts that share no word.
    ConfigError
        There is no such callable.
    """
    if how == TEXT:
        return TextEmbedding.fit(real)
    return CalledEmbedding(how, load_reference(how, option="embed"), str(real.name))


def embedded(values: pd.Series, embedding: Embedding, dataset: str) -> pd.Series:
    """Values as vectors, what is missing kept missing; each distinct value is embedded once."""
    codes, distinct = pd.factorize(values)
    vectors = embedding.vectors(list(distinct), dataset)
    made = [None if at < 0 else vectors[at] for at in codes]
    return pd.Series(made, index=values.index, name=values.name, dtype=object)


@dataclass(frozen=True, eq=False)
class TextEmbedding:
    """Texts by the words that they share: TF-IDF weights, reduced by a truncated SVD.

    The last coordinate is the share of words that no real text holds: without it, a text of made-up
    words is as good as one without them.

    A text that took part in the learning lies nearer to what was learned than another of the same
    kind, and a test would take that for a difference. So every real text has the vector that a fit
    to the other folds gives it, turned to the axes of the fit to all.

    Attributes
    ----------
    column : str
    words : CountVectorizer
        Words that are in two real texts or more.
    factors : ndarray of shape (n_words,)
        Inverse document frequencies.
    directions : ndarray of shape (n_words, k)
        Orthonormal columns.
    counts : mapping of str to int
        In how many real texts each word is.
    known : mapping of str to ndarray
        Vectors of the real texts.
    """

    column: str
    words: Any
    factors: Vectors
    directions: Vectors
    counts: Mapping[str, int]
    known: Mapping[str, Vectors]

    @classmethod
    def fit(cls, real: pd.Series) -> "TextEmbedding":
        """Learn words, weights and directions from the real texts.

        Raises
        ------
        DataError
            Values are not text, or no word is in two of them.
        """
        from sklearn.feature_extraction.text import CountVectorizer

        column = str(real.name)
        texts = _texts(real.dropna().tolist(), "real", column)
        words = CountVectorizer(tokenizer=tokens, token_pattern=None, min_df=2)
        try:
            rows = _logarithms(words.fit_transform(texts))
        except ValueError as error:
            raise DataError(
                f"no word is in two of its {len(texts)} texts",
                dataset="real",
                column=column,
                fix="Provide more rows, embed it by a function of your own, or add it to 'ignore'",
            ) from cause_of(error)
        counts = Counter(word for text in texts for word in set(tokens(text)))
        strange = np.array([[_share_below(text, counts, 2)] for text in texts])
        size = min(MAX_COORDINATES, len(texts) // TEXTS_EACH, rows.shape[1] - 1)
        factors = _factors(rows)
        directions = _directions(_weighted(rows, factors), size)
        own = np.concatenate((_out_of_fold(rows, directions), strange), axis=1)
        known = dict(zip(texts, own, strict=True))
        return cls(column, words, factors, directions, counts, known)

    def vectors(self, values: Sequence[Any], dataset: str) -> Vectors:
        """See `Embedding`."""
        texts = _texts(values, dataset, self.column)
        found = np.zeros((len(texts), self.directions.shape[1] + 1))
        new = [i for i, text in enumerate(texts) if text not in self.known]
        if new:
            others = [texts[i] for i in new]
            found[new, :-1] = self.reduced(others)
            found[new, -1] = [_share_below(text, self.counts, 1) for text in others]
        for i, text in enumerate(texts):
            if text in self.known:
                found[i] = self.known[text]
        return found

    def reduced(self, texts: Sequence[str]) -> Vectors:
        """Coordinates of texts by the words that they share with the real ones."""
        weights = _weighted(_logarithms(self.words.transform(texts)), self.factors)
        coordinates: Vectors = weights @ self.directions
        return coordinates


def _share_below(text: str, counts: Mapping[str, int], least: int) -> float:
    """Share of the words of a text that are in fewer real texts than this."""
    words = tokens(text)
    return sum(counts.get(word, 0) < least for word in words) / max(1, len(words))


def _logarithms(counts: Any) -> Any:
    """Counts of words as ``1 + log(count)``."""
    rows = counts.tocsr().astype(np.float64)
    rows.data = 1 + np.log(rows.data)
    return rows


def _factors(rows: Any) -> Vectors:
    """Inverse document frequency of every word, 0 where it is in fewer than two rows."""
    frequency = np.bincount(rows.indices, minlength=rows.shape[1])
    factors: Vectors = np.log((1 + rows.shape[0]) / (1 + frequency)) + 1
    return np.where(frequency >= 2, factors, 0.0)


def _weighted(rows: Any, factors: Vectors) -> Any:
    from sklearn.preprocessing import normalize

    return normalize(rows.multiply(factors[None, :]).tocsr())


def _directions(weights: Any, size: int) -> Vectors:
    """Leading directions of the rows, as orthonormal columns."""
    from sklearn.decomposition import TruncatedSVD

    if size < 1:
        return np.zeros((weights.shape[1], 0))
    fitted: Vectors = TruncatedSVD(size, random_state=0).fit(weights).components_.T
    return fitted


def _out_of_fold(rows: Any, directions: Vectors) -> Vectors:
    """Coordinates of every row by a fit to the other folds, turned to the axes of `directions`."""
    n, size = rows.shape[0], directions.shape[1]
    fold_of = np.random.default_rng(0).permutation(n) % min(FOLDS, n)
    found = np.zeros((n, size))
    for fold in range(int(fold_of.max()) + 1) if size else ():
        others, own = rows[fold_of != fold], rows[fold_of == fold]
        factors = _factors(others)
        learned = _directions(_weighted(others, factors), size)
        left, _, right = np.linalg.svd(learned.T @ directions)
        found[fold_of == fold] = _weighted(own, factors) @ learned @ (left @ right)
    return found


def tokens(text: str) -> list[str]:
    """Words of a text, without case.

    Examples
    --------
    >>> tokens("Late again: 3rd time!")
    ['late', 'again', '3rd', 'time']
    """
    return _WORD.findall(text.casefold())


@dataclass(frozen=True, eq=False)
class CalledEmbedding:
    """Vectors that a callable of the user makes, kept on disk: a model may be slow.

    Attributes
    ----------
    reference : str
        Where it was imported from.
    function : callable
        From a list of values to an array of shape (n_values, n_coordinates).
    column : str
    """

    reference: str
    function: Callable[[list[Any]], Any]
    column: str

    def vectors(self, values: Sequence[Any], dataset: str) -> Vectors:
        """See `Embedding`."""
        if not len(values):
            return np.zeros((0, 1))
        place = _cache_folder() / f"{self._fingerprint(values)}.npy"
        if place.exists():
            kept: Vectors = np.load(place, allow_pickle=False)
            return kept
        made = self._made(list(values), dataset)
        _keep(made, place)
        return made

    def _made(self, values: list[Any], dataset: str) -> Vectors:
        fix = f"'{self.reference}' takes a list of values and returns an array with a row for each"
        try:
            made = np.asarray(self.function(values), dtype=np.float64)
        except Exception as error:
            raise DataError(
                f"'{self.reference}' failed on {len(values)} of its values ({error})",
                dataset=dataset,
                column=self.column,
                fix=fix,
            ) from cause_of(error)
        if made.ndim != 2 or len(made) != len(values) or not np.isfinite(made).all():
            shape = " x ".join(map(str, made.shape))
            finite = "" if np.isfinite(made).all() else ", not all of them finite"
            raise ConfigError(
                f"'{self.reference}' returned an array of {shape} numbers{finite} for "
                f"{len(values)} values",
                option="embed",
                fix=f"Let it return finite vectors: {fix}",
            )
        return made

    def _fingerprint(self, values: Sequence[Any]) -> str:
        """Of the values and of the module that the callable is in, so that new code is called."""
        digest = hashlib.sha256(self.reference.encode("utf-8"))
        try:
            digest.update(Path(inspect.getfile(inspect.unwrap(self.function))).read_bytes())
        except (OSError, TypeError):
            digest.update(repr(self.function).encode("utf-8"))
        for value in values:
            plain = value if isinstance(value, bytes) else repr(value).encode("utf-8")
            digest.update(b"%d:" % len(plain))
            digest.update(plain)
        return digest.hexdigest()


def _texts(values: Sequence[Any], dataset: str, column: str) -> list[str]:
    """The values, which have to be text."""
    other = next((value for value in values if not isinstance(value, str)), None)
    if other is not None:
        raise DataError(
            f"it holds a {type(other).__name__}, not text",
            dataset=dataset,
            column=column,
            fix="Take it out of 'embed', or name a callable there that makes vectors of it",
        )
    return list(values)


def _cache_folder() -> Path:
    """Where vectors are kept: a folder of the user's own."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "synthmix" / "embed"


def _keep(vectors: Vectors, place: Path) -> None:
    """Write the vectors whole or not at all; a place that cannot be written costs time only."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.NamedTemporaryFile(dir=place.parent, delete=False) as file:
            np.save(file, vectors, allow_pickle=False)
        Path(file.name).replace(place)
    except OSError:
        return
