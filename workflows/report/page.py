"""What did a campaign find? One self-contained HTML file: numbers, figures, tables, provenance, config."""

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
from workflows.report.explore import explorer, files_list
from workflows.report.findings import Findings
from workflows.report.html import figure, page, pairs, table
from workflows.report.product import Exhibit
from workflows.report.single_cells import USUAL, Chosen
from workflows.search.certificate import MARKED, STATED

_MOST_REASONS = 20
_LONGEST_REASON = 300


def write_report(
    path: str | Path,
    findings: Findings,
    exhibits: Sequence[Exhibit],
    facts: Mapping[str, object],
    left_out: Sequence[str] = (),
    chosen: Chosen = USUAL,
) -> None:
    """Write the report; an older file stays whole until the new one is complete.

    Args:
        path: the HTML file.
        findings: what the run found.
        exhibits: figures with their texts, in the order shown.
        facts: where it comes from, by name: campaign, code version, machine, ...
        left_out: conditions whose reconstructions are needed for a figure and missing.
        chosen: which cells the page holds more of than their trials.
    """
    config, trials = findings.config, findings.trials
    printed = [one for one in exhibits if one.live]
    sections = {
        "Headline numbers": _numbers(headline(findings)) + _cost_note(config, trials) + _missing_note(left_out),
        **{exhibit.title: figure(exhibit) for exhibit in exhibits},
        "Best trial of every condition": _best_table(findings),
        "Failures": _failures_table(trials),
        **({"Files of the figures": files_list(printed)} if printed else {}),
        "Provenance": pairs(facts),
        "Config": f'<pre tabindex="0">{escape(config.model_dump_json(indent=2, exclude_none=True))}</pre>',
    }
    with replacing(path) as temporary:
        live, hidden = explorer(findings, chosen), [one.title for one in printed]
        temporary.write_text(page(f"Sampling map and atlas: {config.name}", sections, live, hidden), encoding="utf-8")


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
        **_regret(findings),
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
    said = f"{int(own.at_cap.sum())} of {cells} at the cap of iterations, {int(own.on_bound.sum())} on a bound"
    if "regret_bound" not in own:
        return said
    return f"{said}, {int((own.regret_bound > MARKED).sum())} with a regret that may be above {MARKED:.0%}"


def _regret(findings: Findings) -> dict[str, str]:
    """How far the map may be from the best one, where the strategy has a certificate."""
    own = findings.map.sel({METHOD: findings.config.methods[0]})
    if "regret_bound" not in own or not np.isfinite(own.regret_bound).any():
        return {}
    worst, mean = float(own.regret_bound.max()), float(own.regret_bound.mean())
    return {"regret at most": f"{worst:.1%} in the worst cell, {mean:.1%} in the mean (each holds with {STATED:.0%})"}


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
    return table(header, rows)


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
    return table(("reason", "trials", "first struck"), rows) + note


def _cut(reason: str) -> str:
    return reason if len(reason) <= _LONGEST_REASON else f"{reason[:_LONGEST_REASON]} …"
