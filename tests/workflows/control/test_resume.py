"""What docs/resume.md promises: totals, what may change, what is refused, what is reused, and what other code means."""

import json
from dataclasses import replace

import pytest
from rich.console import Console

from fusedtomo.errors import InputError
from tests.workflows.stubs import Inline, facts, run, stub_model, stub_trial
from tests.workflows.tiny import REMOVED, baseline, config, fused
from workflows.campaign import CampaignConfig, Trial, load_campaign
from workflows.campaign.fidelity import Fidelity
from workflows.campaign.prior import Prior
from workflows.control import run as running
from workflows.control import steer
from workflows.machines import Machine
from workflows.record.merge import merge
from workflows.record.sessions import SESSIONS, add_session, codes, read_sessions
from workflows.search import gp_hedge as search
from workflows.trial.evaluate import evaluate
from workflows.workers.lost import WorkersLost


@pytest.fixture
def stubs(monkeypatch):
    monkeypatch.setattr(steer, "run_trial", stub_trial)
    monkeypatch.setattr(search, "_gaussian_process", stub_model)


def begun(worker):
    return {(one.condition.key, one.number) for one in worker.submitted if isinstance(one, Trial)}


@pytest.mark.usefixtures("stubs")
class TestBudget:
    def test_evaluations_are_a_total_and_raising_it_goes_on_with_what_is_there(self, tmp_path):
        first = run(tmp_path / "raised", config(search__evaluations=5))
        worker = Inline()
        raised = run(tmp_path / "raised", config(search__evaluations=8), worker)
        assert raised[: len(first)] == first
        assert begun(worker) == {(c.key, t) for c in config().conditions() if c.method == "fused" for t in (5, 6, 7)}
        assert facts(raised) == facts(run(tmp_path / "fresh", config(search__evaluations=8)))

    def test_baselines_have_a_total_of_their_own(self, tmp_path):
        run(tmp_path, config())
        worker = Inline()
        run(tmp_path, config(search__baseline_evaluations=5), worker)
        assert begun(worker) == {(f"poisson-tv-c{c}", t) for c in (2, 3) for t in (3, 4)}

    def test_a_lower_total_starts_nothing_and_loses_nothing(self, tmp_path):
        before = run(tmp_path, config(search__evaluations=6))
        worker = Inline()
        assert run(tmp_path, config(search__evaluations=4), worker) == before
        assert worker.submitted == []

    def test_a_grid_search_lays_its_points_by_the_budget_which_may_not_change(self, tmp_path):
        run(tmp_path, config(search__strategy="grid", search__evaluations=9))
        with pytest.raises(InputError, match=r"search\.evaluations was 9 and is now 16"):
            run(tmp_path, config(search__strategy="grid", search__evaluations=16))

    def test_a_failed_trial_counts_and_is_not_tried_again(self, tmp_path):
        failed = [trial for trial in run(tmp_path, config(search__evaluations=8)) if not trial.ok]
        worker = Inline()
        run(tmp_path, config(search__evaluations=9), worker)
        assert failed
        assert not begun(worker) & {(trial.condition, trial.trial) for trial in failed}

    def test_it_is_tried_again_once_its_line_and_those_proposed_after_it_are_gone(self, tmp_path):
        whole = run(tmp_path, config(search__evaluations=8))
        failed = next(trial for trial in whole if not trial.ok and 0 < trial.trial < 7)
        kept = [t for t in whole if t.condition != failed.condition or t.trial < failed.trial]
        (tmp_path / "trials.jsonl").write_text("".join(f"{trial.line()}\n" for trial in kept))
        worker = Inline()
        again = run(tmp_path, config(search__evaluations=8), worker)
        assert begun(worker) == {(failed.condition, t) for t in range(failed.trial, 8)}
        assert again[: len(kept)] == kept


@pytest.mark.usefixtures("stubs")
class TestAxes:
    def test_a_larger_grid_reuses_all_that_is_there(self, tmp_path):
        first = run(tmp_path / "grown", config())
        larger = config(axes={"haadf_tilts": [2, 3, 4], "chemical_tilts": [2, 3, 6]})
        worker = Inline()
        grown = run(tmp_path / "grown", larger, worker)
        assert grown[: len(first)] == first
        assert not begun(worker) & {(trial.condition, trial.trial) for trial in first}
        assert facts(grown) == facts(run(tmp_path / "fresh", larger))

    def test_a_smaller_grid_keeps_the_rest_in_the_journal_for_later(self, tmp_path):
        first = run(tmp_path, config())
        assert run(tmp_path, config(axes__haadf_tilts=[4])) == first
        worker = Inline()
        assert run(tmp_path, config(), worker) == first
        assert worker.submitted == []

    def test_a_row_or_a_baseline_may_come_and_go(self, tmp_path):
        run(tmp_path / "run", config(methods=["fused", "poisson"]))
        worker = Inline()
        both = run(tmp_path / "run", config(), worker)
        assert {key for key, _ in begun(worker)} == {"poisson-tv-c2", "poisson-tv-c3"}
        assert facts(both) == facts(run(tmp_path / "fresh", config()))


def test_a_cell_has_the_same_result_on_any_grid():
    """Baselines are simulated with the first row's HAADF series, which they ignore."""
    other = config(axes={"haadf_tilts": [3, 4, 8], "chemical_tilts": [3, 5]})
    for condition in (fused(4, 3), baseline("poisson-tv", 3), baseline("poisson", 3)):
        point = {"tv": 0.5} if condition.method != "poisson" else {}
        here, there = (evaluate(Trial(each, condition, 0, point)) for each in (config(), other))
        assert here.ok, here.reason
        assert replace(here, seconds=0, started=0) == replace(there, seconds=0, started=0)


FREE = {"name", "report", "axes", "repeats", "methods"}
FREE |= {"search.evaluations", "search.baseline_evaluations", "search.lag"}  # this strategy has no lag
FREE |= {"search.until_regret"}  # a run may end earlier, or go on


def leaves(table, prefix=""):
    """The full names of everything that a campaign file can say."""
    for key, value in table.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict) and name not in FREE and value:
            yield from leaves(value, f"{name}.")
        else:
            yield name


def other_value(value):
    """A value of the same kind; the fingerprint does not ask whether it makes sense."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    known = {"gp_hedge": "sobol", "{}": {"Co": 2.0}, "()": ("Co",), "None": 1}
    return known.get(str(value), f"{value}x")


@pytest.mark.parametrize("name", list(leaves(config().model_dump(mode="json"))))
def test_whatever_a_campaign_file_can_say_alters_the_fingerprint_or_is_free_to_change(name):
    *parents, key = name.split(".")
    changed = config().model_copy(deep=True)
    owner = changed
    for parent in parents:
        owner = owner[parent] if isinstance(owner, dict) else getattr(owner, parent)
    if isinstance(owner, dict):
        owner[key] = other_value(owner[key])
    else:
        tables = {"fidelity": Fidelity(slab=1), "prior": Prior(atlas="a.h5", content=16 * "0")}
        object.__setattr__(owner, key, tables[key] if key in tables else other_value(getattr(owner, key)))
    same = CampaignConfig.fingerprint(changed) == config().fingerprint()
    assert same == (name in FREE)


@pytest.mark.usefixtures("stubs")
@pytest.mark.parametrize(
    ("change", "shown"),
    [
        ({"seed": 4}, "seed was 3 and is now 4"),
        ({"phantom__size": 20}, "phantom.size was 16 and is now 20"),
        ({"acquisition__chemical": {"snr": 4.0}}, "acquisition.chemical.snr was 3.0 and is now 4.0"),
        ({"acquisition__max_deg": 60.0}, "acquisition.max_deg was 70.0 and is now 60.0"),
        ({"solver__max_iterations": 3}, "solver.max_iterations was 2 and is now 3"),
        ({"weights": {"chemical": 2.0}}, "weights.chemical was 1.0 and is now 2.0"),
        ({"search__pending": 2}, "search.pending was 1 and is now 2"),
        ({"search__initial_points": 3}, "search.initial_points was 2 and is now 3"),
        ({"search__warm_start": True}, "search.warm_start was False and is now True"),
        ({"search__strategy": "sobol"}, "search.strategy was 'gp_hedge' and is now 'sobol'"),
        ({"search__space__haadf": REMOVED}, "search.space.haadf.high was 1.0 and is now None"),
    ],
    ids=str,
)
def test_what_alters_results_is_refused_with_the_difference_and_nothing_is_touched(tmp_path, change, shown):
    run(tmp_path, config(), Inline())
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(InputError) as refused:
        run(tmp_path, config(**change))
    assert shown in str(refused.value)
    assert "Undo the change, or give another --out" in str(refused.value)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.usefixtures("stubs")
def test_a_run_that_died_goes_on_on_the_same_map_any_number_of_times(tmp_path):
    died = 0
    for tasks in (3, 7, 1, 12):
        try:
            run(tmp_path / "run", config(search__evaluations=6), Inline(tasks))
        except WorkersLost:
            died += 1
    assert died >= 3
    finished = run(tmp_path / "run", config(search__evaluations=6))
    assert facts(finished) == facts(run(tmp_path / "whole", config(search__evaluations=6)))


# what the version before axes wrote for config(axes={"haadf_tilts": [2, 4], "chemical_tilts": [3]}), and a few trials
OLD_CAMPAIGN = """{
  "name": "tiny", "seed": 3,
  "phantom": {"name": "conio_nanotube", "size": 16, "seed": 1, "field_of_view_nm": null},
  "acquisition": {"min_deg": -70.0, "max_deg": 70.0, "haadf": {"snr": 100.0, "dose_counts": null},
    "chemical": {"snr": 3.0, "dose_counts": null}, "gamma": 2.0, "background_fraction": 0.15, "grid": "same"},
  "grid": {"haadf_tilts": [2, 4], "chemical_tilts": [3]},
  "solver": {"gamma": null, "eps": null, "max_iterations": 2, "tolerance": 0.001, "tv_iterations": null,
    "tv": "isotropic", "chemical_term": "poisson", "chemical_by_element": {}, "tv_by_element": {}, "mask": "none",
    "depth": null, "initial_iterations": 5},
  "weights": {"haadf": 0.1, "chemical": 1.0, "tv": 1.0},
  "search": {"strategy": "gp_hedge", "evaluations": 4, "baseline_evaluations": 3, "initial_points": 2, "pending": 1,
    "warm_start": false, "space": {"haadf": {"low": 0.001, "high": 1.0, "scale": "log"},
      "tv": {"low": 0.1, "high": 5.0, "scale": "log"}}},
  "baselines": ["poisson-tv", "poisson"],
  "report": {"slices": [], "landscapes": []}
}
"""
_OLD_LINE = (
    '{{"condition": "{}", "trial": 0, "status": "ok", "point": {}, "start": null, "weights": {{}}, "nrmse": {}, '
    '"nrmse_by_element": {{}}, "rmse_by_element": {{}}, "stoichiometry_error": null, "iterations": 0, "stopped": "", '
    '"snr": {{}}, "reason": "", "stderr": "", "seconds": 0.001, "started": 0.0, "worker": "", "device": "cpu", '
    '"ranks": 1, "search": {{}}, "proposal_s": 0.0}}\n'
)
OLD_TRIALS = [
    _OLD_LINE.format("poisson-tv-c3", '{"tv": 1.4059577958489908}', 0.7102700406155726),
    _OLD_LINE.format("poisson-c3", "{}", 0.39044515274963487),
    _OLD_LINE.format("fused-h2-c3", '{"haadf": 0.9821847140331347, "tv": 1.2247149132429094}', 0.6833959052105634),
]


@pytest.mark.usefixtures("stubs")
class TestOldRun:
    now = config(axes={"haadf_tilts": [2, 4], "chemical_tilts": [3]})

    @pytest.fixture
    def old(self, tmp_path):
        (tmp_path / "old").mkdir()
        (tmp_path / "old" / "campaign.json").write_text(OLD_CAMPAIGN)
        (tmp_path / "old" / "trials.jsonl").write_text("".join(OLD_TRIALS))
        return tmp_path / "old"

    def test_it_is_of_the_same_campaign(self, old):
        read = running.RunFolder.read(old).config
        assert read == self.now
        assert read.fingerprint() == self.now.fingerprint()
        assert load_campaign(old / "campaign.json") == self.now

    def test_it_goes_on_and_ends_like_a_run_of_today(self, old, tmp_path):
        worker = Inline()
        resumed = run(old, self.now, worker)
        assert begun(worker) & {("poisson-tv-c3", 0), ("poisson-c3", 0), ("fused-h2-c3", 0)} == set()
        assert facts(resumed) == facts(run(tmp_path / "fresh", self.now))
        assert (old / "trials.jsonl").read_text().startswith("".join(OLD_TRIALS))
        assert {(trial.fidelity, trial.order) for trial in resumed} == {(1.0, None)}

    def test_it_grows_and_is_merged_with_a_run_of_today(self, old, tmp_path):
        run(tmp_path / "new", config(axes={"haadf_tilts": [6], "chemical_tilts": [3]}))
        merge(Console(quiet=True), [old, tmp_path / "new"], tmp_path / "both")
        whole = running.RunFolder.read(tmp_path / "both").config
        assert whole.axes["haadf_tilts"] == (2, 4, 6)
        assert facts(run(tmp_path / "both", whole)) == facts(run(tmp_path / "fresh", whole))


CODE = {"fusedtomo": "0.1.0", "commit": "abc", "numpy": "2.3", "created": "today", "configuration": "{}"}


class TestSessions:
    def test_a_session_is_remembered_without_what_the_campaign_file_has(self, tmp_path):
        assert add_session(tmp_path, CODE) == ""
        assert read_sessions(tmp_path) == [{name: value for name, value in CODE.items() if name != "configuration"}]

    def test_the_same_code_on_another_day_is_no_difference(self, tmp_path):
        add_session(tmp_path, CODE)
        assert add_session(tmp_path, {**CODE, "created": "tomorrow"}) == ""

    def test_other_code_is_told_by_its_differences_as_long_as_its_trials_are_there(self, tmp_path):
        add_session(tmp_path, CODE)
        for _ in range(2):
            now = add_session(tmp_path, {**CODE, "commit": "def", "numpy": "2.4"})
            assert now == "commit was abc and is now def; numpy was 2.3 and is now 2.4"
        assert add_session(tmp_path, {**CODE, "commit": "ghi"}) == (
            "commit was abc and def and is now ghi; numpy was 2.4 and is now 2.3"
        )
        assert codes(tmp_path) == "0.1.0 (abc), 0.1.0 (def), 0.1.0 (ghi)"

    @pytest.mark.parametrize("line", ["{", "[]", "3", "\0"], ids=str)
    def test_a_line_that_cannot_be_read_harms_nothing(self, tmp_path, line):
        (tmp_path / SESSIONS).write_text(f"{json.dumps(CODE)}\n{line}\n")
        assert codes(tmp_path) == "0.1.0 (abc)"
        assert add_session(tmp_path, CODE) == ""

    @pytest.mark.parametrize("commit", ["abc", "def"])
    def test_a_run_by_other_code_goes_on_and_says_so(self, tmp_path, monkeypatch, commit, capsys):
        with running.RunFolder(tmp_path, config()) as folder:
            add_session(tmp_path, {**CODE, "machine": "m"})
            monkeypatch.setattr(running, "provenance", lambda *_: {**CODE, "commit": commit})
            running.note_session(folder, Machine(name="m"), Console(soft_wrap=True))
        said = capsys.readouterr().out
        assert (said == "") == (commit == "abc")
        if said:
            assert "commit was abc and is now def" in said
            assert "start over in another --out" in said


def test_a_run_folders_own_campaign_goes_on_as_a_campaign_file(tmp_path):
    with running.RunFolder(tmp_path, config()):
        pass
    assert load_campaign(tmp_path / "campaign.json") == config()
    for text, why in (("{", "not valid JSON"), ("[1]", "dictionary"), ('{"name": 3}', "name")):
        (tmp_path / "campaign.json").write_text(text)
        with pytest.raises(InputError, match=rf"campaign\.json: .*{why}"):
            load_campaign(tmp_path / "campaign.json")
    with pytest.raises(InputError, match="cannot be read"):
        load_campaign(tmp_path / "none.json")
