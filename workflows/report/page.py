"""What did a campaign find? One self-contained HTML file: numbers, figures, tables, provenance, config."""

import base64
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path

from fusedtomo.files import replacing
from workflows.campaign.config import CampaignConfig
from workflows.maps.atlas import Atlas
from workflows.maps.sampling_map import METHOD_LABELS, best_by_condition
from workflows.record.journal import TrialResult, by_condition
from workflows.record.tally import PAPER_GPU_HOURS, PAPER_SIZE, reason_of

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
    config: CampaignConfig,
    atlas: Atlas,
    trials: list[TrialResult],
    figures: Mapping[str, tuple[bytes | Path, str]],
    facts: Mapping[str, object],
) -> None:
    """Write the report; an older file stays whole until the new one is complete.

    Args:
        path: the HTML file.
        atlas: built from the same config and trials.
        figures: by title, in the order shown: a PNG (its bytes, or its file) and a caption.
        facts: what else is known of the run, by name: machine, workers, wall time, ...
    """
    sections = {
        "Headline numbers": _numbers(headline(config, atlas, trials)) + _cost_note(config, trials) + _pairs(facts),
        **{title: _figure(title, png, caption) for title, (png, caption) in figures.items()},
        "Best trial of every condition": _best_table(config, trials),
        "Failures": _failures_table(trials),
        "Provenance": _pairs(atlas.provenance),
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


def headline(config: CampaignConfig, atlas: Atlas, trials: list[TrialResult]) -> dict[str, str]:
    """The numbers at the top of the report, as text by name."""
    sampling = atlas.map
    conditions = config.conditions()
    due = sum(config.evaluations(condition) for condition in conditions)
    scored = [trial for trial in trials if trial.ok]
    cell = sampling.best_cell
    place = "no cell has a successful trial"
    if cell:
        row, column = sampling.haadf_tilts.index(cell[0]), sampling.chemical_tilts.index(cell[1])
        place = f"{sampling.nrmse[row, column]:.3f} at {cell[0]} HAADF, {cell[1]} chemical tilts"
    improved = {
        f"NRMSE of {METHOD_LABELS[method]} over fused, median": _times(sampling.improvement(method))
        for method in sampling.baselines
    }
    return {
        "map": f"{len(sampling.haadf_tilts)} × {len(sampling.chemical_tilts)} cells",
        "conditions with a result": f"{len({trial.condition for trial in scored})} of {len(conditions)}",
        "trials": f"{len(trials)} of {due}",
        "failed trials": str(len(trials) - len(scored)),
        "best NRMSE": place,
        **improved,
        "worker hours": f"{worker_hours(trials):.3g}",
    }


def worker_hours(trials: Iterable[TrialResult]) -> float:
    """Wall time that workers spent on trials, failed ones included, in hours."""
    return sum(trial.seconds for trial in trials) / 3600


def failure_reasons(trials: Iterable[TrialResult]) -> list[tuple[str, int, str]]:
    """Why trials failed: (reason, how often, a condition it struck), the most frequent first."""
    failed = [trial for trial in trials if not trial.ok]
    counts = Counter(reason_of(trial) for trial in failed)
    struck = {reason_of(trial): trial.condition for trial in reversed(failed)}
    return [(reason, count, struck[reason]) for reason, count in counts.most_common()]


def _times(ratio: float) -> str:
    return "unknown" if math.isnan(ratio) else f"{ratio:.2f} ×"


def _numbers(numbers: Mapping[str, str]) -> str:
    cards = "".join(f"<div><dt>{escape(k)}</dt><dd>{escape(v)}</dd></div>" for k, v in numbers.items())
    return f'<dl class="numbers">{cards}</dl>'


def _cost_note(config: CampaignConfig, trials: list[TrialResult]) -> str:
    """What the map cost beside the paper's, with everything that makes the two unlike said beside it."""
    size = config.phantom.size
    ratio = (PAPER_SIZE / size) ** 3
    fewer = f", {ratio:.3g} times fewer voxels" if ratio > 1 else ""
    return (
        f'<p class="note">The paper spent {PAPER_GPU_HOURS} GPU hours on a map at {PAPER_SIZE}³ voxels '
        f"(Methods; Summit and ThetaGPU). This campaign spent {worker_hours(trials):.3g} worker hours at "
        f"{size}³ voxels{fewer}. Devices, numbers of cells and trials, and solvers differ as well, so the "
        "two numbers give an orientation and are no benchmark. A worker is what the machine gives one "
        "trial: some CPU cores, or one GPU.</p>"
    )


def _figure(title: str, png: bytes | Path, caption: str) -> str:
    content = png if isinstance(png, bytes) else Path(png).read_bytes()
    source = f"data:image/png;base64,{base64.b64encode(content).decode()}"
    image = f'<img src="{source}" alt="{escape(title)}">'
    return f"<figure>{image}<figcaption>{escape(caption)}</figcaption></figure>"


def _table(header: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in header)
    body = "".join(f"<tr>{''.join(f'<td>{escape(_text(v))}</td>' for v in row)}</tr>\n" for row in rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _text(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _pairs(pairs: Mapping[str, object]) -> str:
    return _table(("name", "value"), pairs.items()) if pairs else ""


def _best_table(config: CampaignConfig, trials: list[TrialResult]) -> str:
    groups = by_condition(trials)
    header = (
        "condition",
        "trials",
        "failed",
        "NRMSE",
        "by element",
        "weights",
        "searched",
        "iterations",
        "stopped",
        "s",
    )
    rows = []
    for condition, trial in best_by_condition(config, trials).items():
        own = groups.get(condition.key, [])
        counts = (condition.key, len(own), sum(not one.ok for one in own))
        rows.append((*counts, *(_best_cells(trial) if trial else ("–",) * (len(header) - len(counts)))))
    return _table(header, rows)


def _best_cells(trial: TrialResult) -> tuple[object, ...]:
    named = (trial.nrmse_by_element, trial.weights, trial.point)
    texts = (", ".join(f"{name} {value:.3g}" for name, value in values.items()) for values in named)
    return (trial.nrmse, *texts, trial.iterations, trial.stopped, trial.seconds)


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
