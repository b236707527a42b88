"""One thread for the numerics."""

from threadpoolctl import threadpool_limits


def one_thread(*, estimators: bool = True) -> threadpool_limits:
    """Linear algebra and trees in one thread: numbers do not depend on the machine.

    On a machine that is shared, or in a container that may use fewer processors than it sees,
    threads wait for each other: a risk path that takes a second alone took forty.

    Parameters
    ----------
    estimators : bool
        Whether estimators will be fitted that have threads of their own. Without them scikit-learn
        is left alone, which takes longer to import than many a measurement.
    """
    # Each of them brings a library of its own, and only what is loaded can be limited.
    import scipy.linalg  # noqa: F401

    if estimators:
        import sklearn.ensemble  # noqa: F401

    return threadpool_limits(1)
