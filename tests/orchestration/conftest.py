"""What every test of a run shares."""

from typing import Any

import pytest

#: The smallest picture of either kind.
_BLANK = {
    "png": bytes.fromhex(
        "89504e470d0a1a0a0000000d494844520000000100000001080000000"
        "03a7e9b550000000a49444154789c6360000000020001e221bc330000000049454e44ae426082"
    ),
    "svg": b'<svg viewBox="0 0 1 1"></svg>',
}


@pytest.fixture(autouse=True)
def blank_pictures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lay out no picture, which takes a third of a run, but where a test is marked `draws`.

    Whatever is shared by a module was run before, and has its pictures.
    """
    if request.node.get_closest_marker("draws") is not None:
        return

    def savefig(figure: Any, target: Any, **options: Any) -> None:
        target.write(_BLANK[options["format"]])

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", savefig)
