"""The sections of a report: each answers one question a reviewer has, from the manifest.

A section is a list of parts of a page. What was not measured is said, never left out.
"""

from collections.abc import Mapping
from typing import Any

from synthmix_dagster.display.html import readable
from synthmix_dagster.display.markup import (
    Result,
    bullets,
    facts,
    figure,
    paragraph,
    table,
    verdicts,
)
from synthmix_dagster.display.rendering import inline_svg
from synthmix_dagster.distance.display import plot_distance
from synthmix_dagster.gates.evidence import GATES, Evidence
from synthmix_dagster.gates.verdicts import Verdict, judge_memorisation, judge_recommendation
from synthmix_dagster.ratio.display import plot_risk_curve
from synthmix_dagster.ratio.recommendation import Recommendation
from synthmix_dagster.release.display import plot_composition
from synthmix_dagster.release.manifest import composition
from synthmix_dagster.release.report.changes import changes

#: Rows of long tables; the manifest has all of them.
MOST_ROWS = 50
_BASELINES = {
    "none": "no synthetic rows",
    "one_to_one": "as many as real rows",
    "all": "all synthetic rows",
    "recommended": "recommended",
}


def released(manifest: Mapping[str, Any]) -> list[str]:
    """Rows by source, strata and columns."""
    realised, asked = manifest["realised"], manifest["mix"]
    parts = composition(manifest)
    weighted = asked["mode"] == "weights"
    told = "; ".join(
        f"{part['generator'] or 'real'} {part['rows']:,} rows, {part['share']:.1%}"
        for part in parts
    )
    share = f"share of the {'weight' if weighted else 'rows'} (%)"
    columns = [
        (column["name"], column["type"], realised["nulls"].get(column["name"]))
        for column in manifest["columns"]
    ]
    return [
        bullets(f"Note: {note}." for note in manifest["notes"]),
        figure(
            inline_svg(
                plot_composition(manifest),
                "composition",
                "Composition of the release",
                f"Bars for the share of every input: {told}.",
            ),
            "Where the rows come from.",
        ),
        table(
            "Rows by where they come from, recounted from the files",
            ("source", "generator", "rows", share),
            [
                (p["source"], p["generator"] or "", p["rows"], round(100 * p["share"], 2))
                for p in parts
            ],
        ),
        paragraph(
            f"Ratio {readable(float(asked['ratio']))} was asked for and "
            f"{readable(float(realised['ratio']))} is what the files hold."
            + (
                " All synthetic rows are there; the column 'sample_weight' makes them count as "
                "much as that many."
                if weighted
                else ""
            )
        ),
        _strata(manifest),
        table("Columns", ("column", "type", "missing values"), columns[:MOST_ROWS]),
        more(len(columns), "columns"),
    ]


def inputs(manifest: Mapping[str, Any]) -> list[str]:
    """Datasets, their identity and their files."""
    given = sorted(manifest["inputs"].items(), key=lambda item: (item[0] != "real", item[0]))
    files = [
        (name, file["name"], file["rows"], file["sha256"])
        for name, source in given
        for file in source["files"]
    ]
    return [
        table(
            "Inputs",
            (
                "input",
                "rows",
                "rows are identified by",
                "read",
                "fingerprint (SHA-256)",
            ),
            [
                (
                    name,
                    source["rows"],
                    " ".join(
                        (source["identity"]["by"], ", ".join(source["identity"].get("columns", [])))
                    ),
                    _view(source["view"]),
                    source["fingerprint"],
                )
                for name, source in given
            ],
        ),
        table("Files", ("input", "file", "rows", "SHA-256"), files[:MOST_ROWS])
        or paragraph("The rows were given as tables in memory, not as files."),
        more(len(files), "files"),
    ]


def ratio(manifest: Mapping[str, Any], evidence: Evidence) -> list[str]:
    """The recommendation and what it rests on."""
    advice, given = evidence.recommendation, manifest["realised"]["ratio"]
    if advice is None:
        return [
            _unread(evidence, "optimal_ratio"),
            paragraph(
                f"The ratio {readable(float(given))} was given by whoever made the release. No "
                "recommendation was computed, so nothing here says how good another would be."
            ),
        ]
    said = []
    if abs(given - advice.ratio) > 0.5 / advice.n_real:
        said.append(
            paragraph(
                f"Released was a ratio of {given:.4g}, not the recommended one of "
                f"{advice.ratio:.4g}.",
                "warning",
            )
        )
    low, high = advice.interval
    return [
        *said,
        paragraph(advice.reason),
        figure(
            inline_svg(
                plot_risk_curve(advice),
                "risk-curve",
                "Predicted risk at every ratio",
                f"A curve of the {advice.metric} from ratio 0 to {advice.curve[-1].ratio:.4g}. "
                f"It is {advice.shape}. Ratio {advice.ratio:.4g} is recommended; {low:.4g} to "
                f"{high:.4g} cannot be told from the best.",
            ),
            f"Predicted risk ({advice.metric}) against the ratio, for the learner "
            f"'{advice.learner}'. The bounds are priors that do not decide.",
        ),
        paragraph(advice.provenance.sentence),
        _baselines(advice),
        table(
            "Bounds from theory, for comparison",
            ("bound", "ratio", "agrees with the curve", "caveat"),
            [
                (b.name, b.row_ratio, {True: "yes", False: "no"}.get(bool(b.equivalent)), b.caveat)
                for b in advice.bounds
            ],
        ),
        bullets(found.reason for found in (advice.weighted, advice.exchange) if found is not None),
        bullets(note for note in advice.notes if note != advice.provenance.sentence),
    ]


def distance(evidence: Evidence) -> list[str]:
    """The gap, chance, and the columns that make it up."""
    report = evidence.distance
    if report is None:
        return [
            _unread(evidence, "distribution_distance"),
            paragraph(
                "The distance was not measured, so nothing here says whether the synthetic rows "
                "are like the real ones."
            ),
        ]
    threshold = evidence.thresholds.get("wasserstein_gap")
    return [
        figure(
            inline_svg(
                plot_distance(report, threshold=threshold),
                "distance",
                "Gap, chance and threshold, and the part of every column",
                f"The gap is {report.gap:.3f}{_between(report.interval)}, the floor "
                f"{report.floor:.3f}"
                + ("" if threshold is None else f", the threshold {threshold:g}")
                + ". Largest parts: "
                + ", ".join(f"{c.column} {c.part:.3f}" for c in report.columns[:3])
                + " of the squared gap.",
            ),
            "The gap of all columns beside what chance alone shows, and below it what every "
            "column has in it.",
        ),
        facts(
            "Distances, in standard deviations of the real data",
            [
                ("gap", f"{report.gap:.4g}{_between(report.interval)}"),
                ("floor", report.floor),
                ("p-value", report.p_value),
                ("gap without the target", report.input_gap),
                (
                    "conditional gap",
                    "not measured"
                    if report.conditional_gap is None
                    else f"{report.conditional_gap:.4g}{_between(report.conditional_interval)}, "
                    f"for {report.overlap or 0.0:.0%} of the real rows",
                ),
                (
                    "measured on",
                    f"{report.n_real:,} real and {report.n_synthetic:,} synthetic rows, "
                    f"{report.method}, order {report.p}, {report.scaling} scaling, seed "
                    f"{report.seed}",
                ),
            ],
        ),
        table(
            "Columns with the largest parts of the squared gap",
            ("column", "part", "gap by itself", "missing real", "missing synthetic", "unseen"),
            [
                (c.column, c.part, c.gap, c.real_missing, c.synthetic_missing, c.unseen)
                for c in report.columns[:10]
            ],
        ),
        table(
            "What differs there",
            ("column", "statistic", "real", "synthetic"),
            [
                (row.column, row.statistic, readable(row.real), readable(row.synthetic))
                for row in report.differences
            ],
        ),
        bullets(report.notes),
    ]


def checked(manifest: Mapping[str, Any], evidence: Evidence) -> list[str]:
    """Gates, what was not asked for, and what every release is checked for."""
    rows: list[tuple[str, Result, str]] = [
        (name, _result(verdict), verdict.sentence) for name, verdict in evidence.checks.items()
    ]
    rows += [
        (name, "not asked for", "No threshold was set, so it could not stop the release.")
        for name in GATES
        if name not in evidence.checks
    ]
    if evidence.recommendation is None:
        rows.append(("recommendation_usable", "not asked for", "There was no recommendation."))
    else:
        advice = evidence.recommendation
        warnings = {
            "recommendation_usable": judge_recommendation(advice),
            "memorisation": judge_memorisation(advice.provenance, "WARN"),
        }
        rows += [
            (name, _result(verdict), verdict.sentence)
            for name, verdict in warnings.items()
            if name not in evidence.checks
        ]
    realised = manifest["realised"]
    rows.append(
        (
            "recount",
            "passed",
            f"Before it was published the files were read again: {realised['rows']:,} rows, of "
            "the sources, strata and missing values above. "
            + (
                "Their identities were compared: none is there twice."
                if manifest["mix"]["provenance"]
                else "They carry no identities, so that rows were compared in total only."
            ),
        )
    )
    return [
        verdicts("Checks", rows),
        paragraph("A check that fails stops a release; one that warns does not.", "quiet"),
        facts("Set for this release only", sorted(evidence.overrides.items()))
        if evidence.overrides
        else "",
    ]


def changed(manifest: Mapping[str, Any], previous: Mapping[str, Any] | None) -> list[str]:
    """What is different from the release before."""
    before = manifest.get("previous")
    if previous is None:
        if before is not None:
            said = f"The release before was {before}. It is no longer there to compare with."
        elif "previous" in manifest:
            said = "There was no release here before this one."
        else:
            said = "This release does not say which one came before it."
        return [paragraph(said)]
    found = previous["release_id"]
    latest = ", the latest when this one was made" if found == before else ""
    return [
        paragraph(f"Compared with release {found}{latest}."),
        table("Changes", ("what", "before", "now", "difference"), changes(previous, manifest))
        or paragraph("Nothing that a manifest records changed."),
    ]


def _baselines(advice: Recommendation) -> str:
    risks = advice.baselines
    return table(
        f"Predicted risk of the usual guesses ({advice.metric})",
        ("synthetic rows", "predicted risk", "beside none"),
        [
            (said, risks[name], "" if name == "none" else _beside(risks[name], risks["none"]))
            for name, said in _BASELINES.items()
            if name in risks
        ],
    )


def _result(verdict: Verdict) -> Result:
    if verdict.passed:
        return "passed"
    return "warning" if verdict.severity == "WARN" else "failed"


def _strata(manifest: Mapping[str, Any]) -> str:
    strata = manifest["realised"]["strata"]
    if not strata:
        return ""
    names = ["real", *sorted(manifest["realised"]["generators"])]
    rows = [
        (stratum, found["rows"], *(found.get(name) for name in names))
        for stratum, found in strata.items()
    ]
    caption = f"Rows by '{manifest['mix']['stratify']}', which the selection was stratified by"
    head = ("value", "rows", *names)
    return table(caption, head, rows[:MOST_ROWS]) + more(len(rows), "values")


def _view(view: Mapping[str, Any] | None) -> str:
    """Filters, columns and new names, in words."""
    said = {key: value for key, value in (view or {}).items() if value}
    return "; ".join(f"{key} {value}" for key, value in sorted(said.items())) or "as they are"


def _unread(evidence: Evidence, name: str) -> str:
    if name not in evidence.unread:
        return ""
    return paragraph(
        f"The manifest holds '{name}', which another version of synthmix-dagster wrote and this "
        "one cannot read."
    )


def more(count: int, what: str) -> str:
    """How many rows of a long table were left out, where some were."""
    left = count - MOST_ROWS
    return paragraph(f"{left:,} more {what} are in manifest.json.", "quiet") if left > 0 else ""


def _beside(risk: float, none: float) -> str:
    return f"{risk / none - 1:+.1%}" if none > 0 else ""


def _between(interval: tuple[float, float] | None) -> str:
    return "" if interval is None else f" (95 % interval {interval[0]:.3f} to {interval[1]:.3f})"
