"""The history of a mix: releases, refusals and alarms in order, and the page beside them."""

import json
from pathlib import Path

import pandas as pd
import pytest
from released import EVIL, TASK, Page
from scenario import bad, good, rows

from synthmix_dagster import DistanceReport, history, load_release, measure_distance, mix
from synthmix_dagster.data.opening import open_store
from synthmix_dagster.data.store import Store
from synthmix_dagster.errors import GateError, ReleaseError, SynthMixError
from synthmix_dagster.release import history_page
from synthmix_dagster.release.events import EVENTS, MAX_EVENTS, Event, append_event, read_events
from synthmix_dagster.release.recording import INDEX, record

REAL = rows(60, seed=0)


@pytest.fixture(scope="module")
def far() -> DistanceReport:
    return measure_distance(REAL, bad(80), permutations=9, directions=10, **TASK)


@pytest.fixture(scope="module")
def near() -> DistanceReport:
    return measure_distance(REAL, good(80), permutations=9, directions=10, **TASK)


@pytest.fixture(scope="module")
def output(
    tmp_path_factory: pytest.TempPathFactory, near: DistanceReport, far: DistanceReport
) -> Path:
    """A release, a refusal, and a release without a gate."""
    place = tmp_path_factory.mktemp("root") / "churn"
    mix(REAL, good(80), ratio=0.5, output=place, distance=near, threshold=0.8)
    refuse(place, far)
    mix(REAL, good(80), ratio=1, output=place)
    return place


def refuse(place: Path | Store, far: DistanceReport) -> None:
    with pytest.raises(GateError):
        mix(REAL, bad(80), ratio=2, output=place, distance=far, threshold=0.8)


def small(n: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    return pd.DataFrame({"x": range(n)}), pd.DataFrame({"x": range(100, 130)})


# --- what is listed ------------------------------------------------------------------------------


def test_releases_and_refusals_are_listed_with_their_numbers(
    output: Path, near: DistanceReport, far: DistanceReport
) -> None:
    first, refused, last = history(output).entries
    assert (first.kind, first.verdict, first.rows, first.ratio) == ("released", "released", 90, 0.5)
    assert (first.gap, first.threshold) == (near.gap, 0.8)
    assert first.report == str(output / "releases" / str(first.release_id) / "report.html")
    assert Path(first.report).is_file()
    assert (refused.kind, refused.release_id, refused.ratio) == ("refused", None, 2)
    assert (refused.gap, refused.threshold) == (far.gap, 0.8)
    assert "the check 'wasserstein_gap' failed" in refused.reason
    assert (last.verdict, last.gap, last.threshold, last.rows) == ("no gate", None, None, 120)
    assert first.at <= refused.at <= last.at


def test_a_root_lists_all_mixes_and_their_partitions(tmp_path: Path) -> None:
    for number, place in enumerate(("a", "team/b", "c/partitions/2024-01", "c/partitions/x%2Fy")):
        mix(*small(5 + number), ratio=1, output=tmp_path / place)
    found = history(tmp_path)
    assert {entry.place: entry.rows for entry in found.entries} == {
        "a": 10,
        "team/b": 12,
        "c/2024-01": 14,
        "c/x%2Fy": 16,
    }
    assert "4 released, 0 refused" in repr(found)


def test_a_release_of_before_the_log_comes_first_and_a_removed_one_is_named(tmp_path: Path) -> None:
    releases = [
        mix(*small(n), ratio=1, output=tmp_path, keep_releases=2).release_id for n in (5, 6, 7)
    ]
    entries = history(tmp_path).entries
    assert [(entry.release_id, entry.verdict) for entry in entries] == [
        (releases[0], "removed"),
        (releases[1], "no gate"),
        (releases[2], "no gate"),
    ]
    (tmp_path / ".publications.json").write_text("[]")
    assert {(entry.at, entry.verdict) for entry in history(tmp_path).entries} == {("", "no gate")}


def test_a_result_becomes_json_and_comes_back(output: Path) -> None:
    found = history(output)
    assert type(found).from_dict(json.loads(json.dumps(found.to_dict()))) == found


def test_where_nothing_was_released_or_refused_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match=r"neither a release nor a refusal.*'output_root'"):
        history(tmp_path)


def test_an_object_store_has_the_same_history(far: DistanceReport) -> None:
    store = open_store("memory://history-in-a-store/mixes/churn")
    release = mix(*small(5), ratio=1, output=store)
    refuse(store, far)
    assert [entry.kind for entry in history(store).entries] == ["released", "refused"]
    page = Page(store.read(INDEX).decode())
    assert [tag["href"] for tag in page.attributes("a")] == [
        f"releases/{release.release_id}/report.html"
    ]


@pytest.mark.parametrize("address", ["memory://a-hundred/mixes/churn", "local"])
def test_of_a_hundred_releases_only_manifests_are_read(
    address: str, tmp_path: Path, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(tmp_path if address == "local" else address)
    manifest = json.loads((output / "latest" / "manifest.json").read_text())
    for number in range(100):
        name = f"{number:016x}"
        content = json.dumps({**manifest, "release_id": name}).encode()
        store.below("releases", name).put("manifest.json", content)
    asked: list[str] = []
    for verb in ("read", "look", "open"):
        usual = getattr(type(store), verb)
        monkeypatch.setattr(
            type(store),
            verb,
            lambda self, name, usual=usual: (asked.append(name), usual(self, name))[1],
        )
    found = history(store)
    page = found.to_html(store.uri)
    # Each once, and a few files of the mix itself.
    assert asked.count("manifest.json") == 100
    assert len(asked) <= 105
    assert len(found.entries) == 100
    assert page.count("report.html") == 100


# --- refusals ------------------------------------------------------------------------------------


def test_a_refusal_is_no_release(tmp_path: Path, far: DistanceReport) -> None:
    refuse(tmp_path, far)
    kept = {path.name for path in tmp_path.iterdir()}
    assert kept == {EVENTS, INDEX, ".swap.lock"}
    with pytest.raises(ReleaseError):
        load_release(tmp_path)
    made = mix(*small(5), ratio=1, output=tmp_path, keep_releases=1)
    assert load_release(tmp_path).release_id == made.release_id
    assert [entry.kind for entry in history(tmp_path).entries] == ["refused", "released"]


def test_one_run_is_refused_once_whatever_its_later_steps_add(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    for reason in ("too far.", "labels moved.", "too far."):
        append_event(store, Event("refused", reason, "churn", run="1"))
    append_event(store, Event("refused", "too far.", "churn", run="2"))
    assert [event.reason for event in read_events(store)] == ["too far. labels moved.", "too far."]


def test_a_reason_keeps_no_secret_and_the_oldest_events_go(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    entry = {"kind": "refused", "reason": "old"}
    store.put(EVENTS, json.dumps([entry] * MAX_EVENTS).encode())
    append_event(store, Event("refused", "cannot read s3://key:secret@bucket/data?token=1"))
    events = read_events(store)
    assert len(events) == MAX_EVENTS
    assert events[-1].reason == "cannot read s3://bucket/data"


# --- what goes wrong -----------------------------------------------------------------------------


def fail(*args: object, **values: object) -> str:
    raise RuntimeError("no page")


def test_a_page_that_cannot_be_written_costs_no_release(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(history_page, "render", fail)
    release = mix(*small(5), ratio=1, output=tmp_path)
    assert load_release(tmp_path).release_id == release.release_id
    assert "The page of the history could not be written (RuntimeError)" in caplog.text
    assert not (tmp_path / INDEX).exists()


def test_a_file_of_events_in_the_way_changes_no_refusal(
    tmp_path: Path, far: DistanceReport, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / EVENTS).mkdir()
    refuse(tmp_path, far)
    assert "The history could not be added to" in caplog.text


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b'[{"kind": "refused"}]', b"\xff"])
def test_records_that_somebody_damaged_are_left_out(tmp_path: Path, content: bytes) -> None:
    mix(*small(5), ratio=1, output=tmp_path)
    (tmp_path / EVENTS).write_bytes(content)
    (tmp_path / "releases" / "draft").mkdir()
    assert [entry.kind for entry in history(tmp_path).entries] == ["released"]


@pytest.mark.parametrize("gap", ["1", None, True, [1], float("nan")])
def test_numbers_that_are_none_are_left_out(tmp_path: Path, output: Path, gap: object) -> None:
    manifest = json.loads((output / "latest" / "manifest.json").read_text())
    manifest["evidence"]["distribution_distance"] = {"gap": gap}
    manifest["realised"] = ["of another shape"]
    folder = tmp_path / "releases" / "0123456789abcdef"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (entry,) = history(tmp_path).entries
    assert (entry.gap, entry.rows, entry.ratio) == (None, None, None)
    history(tmp_path).to_html()


def test_a_log_that_leads_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    mix(*small(5), ratio=1, output=tmp_path)
    entry = {"release_id": "../../etc", "digest": "", "at": "2026"}
    (tmp_path / ".publications.json").write_text(json.dumps([entry]))
    with pytest.raises(SynthMixError):
        history(tmp_path)


# --- the page ------------------------------------------------------------------------------------


def test_the_page_lies_beside_the_releases_and_links_to_reports(output: Path) -> None:
    text = (output / INDEX).read_text()
    page = Page(text)
    links = [tag["href"] for tag in page.attributes("a")]
    assert len(links) == 2
    assert all((output / link).is_file() for link in links)
    assert "Releases: 2. Refusals: 1. Drift alarms: 0. The last entry: no gate, " in page.text()
    assert len(page.attributes("polyline")) == 3
    assert not {"script", "link", "iframe", "object", "img"} & {tag for tag, _ in page.tags}


def test_alarms_are_marked_and_words_are_text(tmp_path: Path, output: Path) -> None:
    for at, gap in enumerate((0.1, 0.2)):
        record(open_store(tmp_path), Event("refused", EVIL, gap=gap, threshold=0.05, run=str(at)))
    record(open_store(tmp_path), Event("drift alarm", "gap since batch 5"))
    page = Page((tmp_path / INDEX).read_text())
    assert not {"script"} & {tag for tag, _ in page.tags}
    assert EVIL in page.text()
    assert "gap since batch 5" in page.text()
    alarms = [tag["d"] for tag in page.attributes("path") if tag["class"] == "alarm"]
    assert alarms == ["M100 0V100"]


def test_mixes_that_share_a_folder_are_told_apart(tmp_path: Path) -> None:
    for number in range(4):
        mix = "good" if number % 2 else "candidate"
        record(
            open_store(tmp_path / "good"), Event("refused", "far", mix, gap=1.0, run=str(number))
        )
    assert [entry.name for entry in history(tmp_path / "good").entries][:2] == ["candidate", "good"]
    assert [entry.name for entry in history(tmp_path).entries][:2] == ["good candidate", "good"]
    page = Page((tmp_path / "good" / "index.html").read_text())
    assert "Gap of candidate, and the threshold" in page.text()
    assert "mix" in [data for tag, data in page.texts if tag == "th"]


def test_a_page_elsewhere_links_to_where_the_releases_are(output: Path, tmp_path: Path) -> None:
    page = Page(history(output).to_html(str(tmp_path)))
    links = [tag["href"] for tag in page.attributes("a")]
    assert all(link.startswith(output.as_uri()) for link in links)
    root = Page(history(output.parent).to_html(str(output.parent)))
    assert all(link["href"].startswith("churn/releases/") for link in root.attributes("a"))
