"""What did a campaign find? One self-contained HTML file: numbers, figures, tables, provenance, config."""

import base64
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path

import numpy as np

from fusedtomo.files import replacing
from fusedtomo.methods import METHODS
from workflows.campaign import AXES, CampaignConfig, Value
from workflows.campaign.config import sizes_of, sizes_text
from workflows.campaign.measures import MEASURES, label_of
from workflows.maps.sampling_map import METHOD, improvement, lowest
from workflows.record.journal import CAP, TrialResult, by_condition, on_bound
from workflows.record.tally import PAPER_GPU_HOURS, PAPER_SIZE, Tally, hours_text, reason_of
from workflows.report.findings import Findings
from workflows.report.product import Exhibit

_MOST_REASONS = 20
_LONGEST_REASON = 300

_STYLE = """
:root { color-scheme: light dark;
  --ink: #1b1f24; --paper: #fff; --line: #d0d7de; --faint: #57606a; --card: #f6f8fa; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6edf3; --paper: #0d1117; --line: #30363d; --faint: #9198a1; --card: #161b22; }
}
body { color: var(--ink); background: var(--paper); font: 16px/1.5 system-ui, sans-serif; max-width: 64rem;
  margin: 2rem auto; padding: 0 1rem; }
h2 { border-bottom: 1px solid var(--line); padding-bottom: .2rem; margin-top: 2.5rem; }
nav a { margin-right: 1rem; } a { color: inherit; }
.numbers { display: grid; grid-template-columns: repeat(auto-fill, minmax(13rem, 1fr)); gap: .8rem; }
.numbers div { background: var(--card); border: 1px solid var(--line); border-radius: 6px; padding: .6rem; }
.numbers dt { color: var(--faint); font-size: .85rem; }
.numbers dd { margin: 0; font-size: 1.25rem; font-weight: 600; }
figure { margin: 1rem 0; } figcaption, .note { color: var(--faint); font-size: .9rem; }
figure img { max-width: 100%; height: auto; background: #fff; border-radius: 4px; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-size: .85rem; }
th, td { border: 1px solid var(--line); padding: .2rem .5rem; text-align: left; }
td { font-variant-numeric: tabular-nums; } th, pre { background: var(--card); }
pre { padding: .8rem; overflow-x: auto; font-size: .8rem; }
@media print {
  :root { --ink: #000; --paper: #fff; --line: #bbb; --faint: #333; --card: #fff; }
  body { max-width: none; margin: 0; font-size: 11pt; } nav { display: none; }
  figure, tr { break-inside: avoid; } h2 { break-after: avoid; } pre { white-space: pre-wrap; }
  .wide { overflow: visible; } table { font-size: 7.5pt; }
}
"""


def write_report(
    path: str | Path,
    findings: Findings,
    exhibits: Sequence[Exhibit],
    facts: Mapping[str, object],
    left_out: Sequence[str] = (),
) -> None:
    """Write the report; an older file stays whole until the new one is complete.

    Args:
        path: the HTML file.
        findings: what the run found.
        exhibits: figures with their texts, in the order shown.
        facts: where it comes from, by name: campaign, code version, machine, ...
        left_out: conditions whose reconstructions are needed for a figure and missing.
    """
    config, trials = findings.config, findings.trials
    sections = {
        "Headline numbers": _numbers(headline(findings)) + _cost_note(config, trials) + _missing_note(left_out),
        **{exhibit.title: _figure(exhibit) for exhibit in exhibits},
        "Best trial of every condition": _best_table(findings),
        "Failures": _failures_table(trials),
        "Provenance": _pairs(facts),
        "Config": f"<pre>{escape(config.model_dump_json(indent=2, exclude_none=True))}</pre>",
    }
    with replacing(path) as temporary:
        temporary.write_text(_page(config.name, sections), encoding="utf-8")


def _page(name: str, sections: Mapping[str, str]) -> str:
    title = escape(f"Sampling map and atlas: {name}")
    links = "".join(f'<a href="#s{i}">{escape(heading)}</a> ' for i, heading in enumerate(sections))
    body = "".join(
        f'<section id="s{i}"><h2>{escape(heading)}</h2>{content}</section>\n'
        for i, (heading, content) in enumerate(sections.items())
    )
    head = (
        f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>'
        f"<style>{_STYLE}</style>"
    )
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head>{head}</head>\n<body><h1>{title}</h1><nav>{links}</nav>\n'
        f"{body}</body></html>\n"
    )


def headline(findings: Findings) -> dict[str, str]:
    """The numbers at the top of the report, as text by name."""
    config, trials = findings.config, findings.trials
    tally = Tally(config, trials)
    main, *others = config.methods
    label = METHODS[main].label
    improved = {
        f"errors of {METHODS[other].label} over {label}, medians": _improved(findings, main, other) for other in others
    }
    return {
        "map": f"{' × '.join(str(len(values)) for values in config.axes.values())} cells",
        "conditions with a result": f"{len(tally.errors)} of {len(tally.due)}",
        "trials": f"{tally.trials} of {tally.total}",
        "failed trials": str(tally.failed.total()),
        **_lowest(findings),
        **improved,
        "marked cells": _marked(findings),
        "spent": hours_text(tally.hours),
    }


def _lowest(findings: Findings) -> dict[str, str]:
    """The lowest error and where, and what else is measured there."""
    config = findings.config
    cells = lowest(findings.map, config.methods[0])
    if not cells:
        return {f"lowest {label_of(config.search.minimise)}": "no cell has a successful trial"}
    at = dict(zip(config.axes, cells[0], strict=True))
    own = findings.map.sel({METHOD: config.methods[0], **at})
    place = f"{own.error.item():.3f} at {', '.join(AXES[name].said(found) for name, found in at.items())}"
    others = [one for one in MEASURES.values() if one.name != config.search.minimise]
    beside = ", ".join(f"{one.label} {_known(own[one.name].item(), '{:.3f}')}" for one in others)
    return {**_called(findings, cells, place), "beside it": beside}


def _called(findings: Findings, cells: tuple[tuple[Value, ...], ...], place: str) -> dict[str, str]:
    """The place of the lowest error; "best" is said only where repeats show that it wins by more than the noise."""
    config, measure = findings.config, label_of(findings.config.search.minimise)
    if len(config.repeated(config.cell(config.methods[0], cells[0]))) < 2:
        return {f"lowest {measure}": f"{place} (one seed: its noise is not known)"}
    if len(cells) > 1:
        return {f"lowest {measure}": f"{place}; within the noise of {len(cells) - 1} more cells"}
    return {f"best {measure}": f"{place}, ahead by more than the noise"}


def _improved(findings: Findings, method: str, over: str) -> str:
    """How many times lower each measure of a method is than another's."""
    ratios = {one.label: improvement(findings.map, one.name, method, over) for one in MEASURES.values()}
    return ", ".join(f"{label} {_known(ratio, '{:.2f} ×')}" for label, ratio in ratios.items())


def _marked(findings: Findings) -> str:
    own = findings.map.sel({METHOD: findings.config.methods[0]})
    cells = int(np.isfinite(own.error).sum())
    return f"{int(own.at_cap.sum())} of {cells} at the cap of iterations, {int(own.on_bound.sum())} on a bound"


def failure_reasons(trials: Iterable[TrialResult]) -> list[tuple[str, int, str]]:
    """Why trials failed: (reason, how often, a condition it struck), the most frequent first."""
    failed = [trial for trial in trials if not trial.ok]
    counts = Counter(reason_of(trial) for trial in failed)
    struck = {reason_of(trial): trial.condition for trial in reversed(failed)}
    return [(reason, count, struck[reason]) for reason, count in counts.most_common()]


def _known(value: float, form: str) -> str:
    return "unknown" if math.isnan(value) else form.format(value)


def _numbers(numbers: Mapping[str, str]) -> str:
    cards = "".join(f"<div><dt>{escape(k)}</dt><dd>{escape(v)}</dd></div>" for k, v in numbers.items())
    return f'<dl class="numbers">{cards}</dl>'


def _cost_note(config: CampaignConfig, trials: list[TrialResult]) -> str:
    """What the map cost beside the paper's, with everything that makes the two unlike said beside it."""
    largest = max(sizes_of(config))
    ratio = (PAPER_SIZE / largest) ** 3
    fewer = f", {ratio:.3g} times fewer voxels" if ratio > 1 else ""
    return (
        f'<p class="note">The paper spent {PAPER_GPU_HOURS} GPU hours on a map at {PAPER_SIZE}³ voxels '
        f"(Methods; Summit and ThetaGPU). This campaign spent {hours_text(Tally(config, trials).hours)} at "
        f"{sizes_text(config)} voxels{fewer}. Devices, numbers of cells and trials, and solvers differ as well, so the "
        "two numbers give an orientation and are no benchmark. A worker is what the machine gives one "
        "trial: some CPU cores, or one GPU.</p>"
    )


def _missing_note(left_out: Sequence[str]) -> str:
    if not left_out:
        return ""
    return (
        f'<p class="note">Not drawn: the reconstructions of {escape(", ".join(left_out))} are not in the run folder. '
        "<code>fusedtomo run</code> with the same campaign and folder makes them.</p>"
    )


def _figure(exhibit: Exhibit) -> str:
    source = f"data:image/png;base64,{base64.b64encode(exhibit.png).decode()}"
    image = f'<img src="{source}" alt="{escape(exhibit.alt_text)}">'
    files = ", ".join(f'<a href="{escape(file.name)}">{escape(file.name)}</a>' for file in exhibit.files)
    return f"<figure>{image}<figcaption>{escape(exhibit.caption)} {files}</figcaption></figure>"


def _table(header: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in header)
    body = "".join(f"<tr>{''.join(f'<td>{escape(_text(v))}</td>' for v in row)}</tr>\n" for row in rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _text(value: object) -> str:
    if isinstance(value, float):
        return "–" if math.isnan(value) else f"{value:.4g}"
    return str(value)


def _pairs(pairs: Mapping[str, object]) -> str:
    return _table(("name", "value"), pairs.items()) if pairs else ""


_COUNTED = ("condition", "trials", "failed")
_MADE = ("NRMSE by element", "RMSE by element", "weights", "searched", "iterations", "stopped", "marks", "s")


def _best_table(findings: Findings) -> str:
    header = (*_COUNTED, *(one.label for one in MEASURES.values()), *_MADE)
    groups, rows = by_condition(findings.trials), []
    for condition, trial in findings.winners.items():
        own = groups.get(condition.key, [])
        counts = (condition.key, len(own), sum(not one.ok for one in own))
        marked = trial is not None and on_bound(trial, findings.config.space(condition))
        cells = _best_cells(trial, marked) if trial else ("–",) * (len(header) - len(counts))
        rows.append((*counts, *cells))
    return _table(header, rows)


def _best_cells(trial: TrialResult, marked: bool) -> tuple[object, ...]:
    measures = map(trial.measure, MEASURES)
    named = (trial.nrmse_by_element, trial.rmse_by_element, trial.weights, trial.point)
    texts = (", ".join(f"{name} {value:.3g}" for name, value in values.items()) for values in named)
    marks = ", ".join(filter(None, ("cap" if trial.stopped == CAP else "", "bound" if marked else "")))
    return (*measures, *texts, trial.iterations, trial.stopped, marks, trial.seconds)


def _failures_table(trials: list[TrialResult]) -> str:
    reasons = failure_reasons(trials)
    if not reasons:
        return "<p>No trial failed.</p>"
    rows = [(_cut(reason), count, where) for reason, count, where in reasons[:_MOST_REASONS]]
    more = len(reasons) - len(rows)
    note = f'<p class="note">{more} more reasons stand in the journal.</p>' if more else ""
    return _table(("reason", "trials", "first struck"), rows) + note


def _cut(reason: str) -> str:
    return reason if len(reason) <= _LONGEST_REASON else f"{reason[:_LONGEST_REASON]} …"
