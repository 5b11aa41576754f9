"""A figure of the paper from one command: campaigns run or resume, figures and comparison are written."""

import csv
import json
import re
import sys
from dataclasses import replace

import pytest

from fusedtomo.errors import InputError
from tests.workflows.tiny import write_toml
from workflows.command import cli
from workflows.machines import CONFIGS
from workflows.paper.claims import Claim, Found
from workflows.paper.document import write_document
from workflows.paper.figure import PAPER, PaperFigure
from workflows.paper.measured import last_measured, note
from workflows.paper.reproduce import Reproduced, Wanted, campaigns_of, made_again
from workflows.record.journal import Journal, TrialResult
from workflows.record.runfolder import RunFolder
from workflows.shipped import shipped

FIGURE = PaperFigure(
    name="toy",
    title="A toy of <two> cells",
    paper="Fig. 0",
    campaigns=("tiny",),
    shows=("sampling_map", "slices"),
    claims=(
        Claim("an error below 1", lambda runs: Found(f"{float(runs['tiny'].map.error.min()):.2f}", True), "as it is"),
        Claim("what no run tells", lambda _: None),
    ),
)


@pytest.fixture
def work(tmp_path, monkeypatch):
    """A folder with the campaign of a toy figure, which is registered for as long."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(PAPER._values, "toy", FIGURE)
    write_toml(
        tmp_path / "tiny.toml",
        axes={"chemical_tilts": [2, 3]},
        acquisition={"haadf": {"tilts": 2, "snr": 100.0}, "chemical": {"snr": 3.0}},
        methods=["poisson"],
        report={"slices": [[3]]},
    )
    return tmp_path


def complete(wanted):
    """Write the run folder of the toy's campaign, as if it had run."""
    config = wanted.campaign("tiny")
    trials = [
        TrialResult(condition.key, 0, "ok", {}, nrmse=0.8, nrmse_by_element={"Co": 0.8}, seconds=36.0)
        for condition in config.conditions()
    ]
    with RunFolder(wanted.out / config.name, config) as folder, Journal(folder.journal) as journal:
        journal.append(*trials)


def test_a_figure_is_drawn_judged_and_noted_beside_its_pictures(work):
    wanted = Wanted(16, None, work / "out")
    complete(wanted)
    done = made_again(FIGURE, wanted)
    folder = wanted.folder(FIGURE)
    assert folder.name == "toy-16"
    assert last_measured(folder) == ""
    note(done, folder)
    assert {path.name for path in folder.iterdir()} == {
        *(f"tiny-sampling_map.{suffix}" for suffix in ("png", "svg", "csv")),
        "captions.md",
        "comparison.csv",
        "measured.json",
    }
    rows = list(csv.reader((folder / "comparison.csv").read_text().splitlines()))
    assert rows[1:] == [
        ["an error below 1", "0.80", "holds", "as it is"],
        ["what no run tells", "–", "not measured", ""],
    ]
    record = json.loads((folder / "measured.json").read_text())
    assert (record["sizes"], record["spent"]) == ([16], "0.02 CPU worker hours")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d: 1 holds, 1 not measured; 0.02 CPU worker hours", last_measured(folder))


def test_the_document_has_all_figures_and_one_table_of_the_paper_s_numbers(work, monkeypatch):
    wanted = Wanted(16, None, work / "out")
    complete(wanted)
    other = replace(FIGURE, name="other", paper="Fig. 9", shows=())
    monkeypatch.setitem(PAPER._values, "other", other)
    write_document(work / "paper.html", [made_again(one, wanted) for one in (FIGURE, other)], wanted)
    html = (work / "paper.html").read_text()
    first = html.index("<table>")
    assert re.findall(r"<td>(Fig\. \d)</td><td>(an error|what no)", html[first : html.index("</table>", first)]) == [
        ("Fig. 0", "an error"),
        ("Fig. 0", "what no"),
        ("Fig. 9", "an error"),
        ("Fig. 9", "what no"),
    ]
    assert "A toy of &lt;two&gt; cells" in html
    assert '<a href="toy-16/tiny-sampling_map.svg">' in html
    assert html.count("data:image/png") == 1


def test_a_record_that_is_none_is_refused_by_name(work):
    (work / "measured.json").write_text('{"comparison": 3}')
    with pytest.raises(InputError, match=r"measured\.json: not the record of a figure"):
        last_measured(work)


def test_the_command_runs_resumes_and_lists(work, monkeypatch, capsys):
    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["fusedtomo", "reproduce", *arguments])
        code = cli._main()
        return code, re.sub(r"\s+", " ", "".join(capsys.readouterr()))

    code, said = call("toy", "--size", "16", "--workers", "1")
    assert code == 0, said
    assert "Fig. 0: A toy of <two> cells an error below 1:" in said
    made = {path.name for path in (work / "runs/paper/toy-16").iterdir()}
    assert {"tiny-sampling_map.png", "tiny-slices-poisson-c3.png", "tiny-slices-poisson-c3.csv"} <= made
    journal = work / "runs/paper/tiny-16/trials.jsonl"
    before = journal.read_bytes()
    assert call("toy", "--size", "16")[0] == 0
    assert journal.read_bytes() == before
    code, said = call("toy", "--list", "--size", "16")
    assert code == 0, said
    assert re.search(r"toy A toy of .*Fig\. 0 16³ \d+s to .*\d{4}-\d\d-\d\d: 1 ", said)
    code, said = call("--size", "16")
    assert code == 2
    assert "--list shows them" in said
    code, said = call("toi")
    assert (code, "did you mean 'toy'" in said) == (2, True)


def test_a_budget_and_a_size_are_those_wanted(work):
    config = Wanted(24, 9, work).campaign("tiny")
    assert (config.phantom.size, config.search.evaluations, config.name) == (24, 9, "tiny-24")
    plain = Wanted(None, None, work)
    assert plain.campaign("tiny").phantom.size == 16
    assert plain.folder(FIGURE).name == "toy"


@pytest.mark.parametrize("name", PAPER)
def test_every_figure_has_its_campaigns_and_products(name):
    figure = PAPER[name]
    configs = campaigns_of([figure], Wanted(None, None, CONFIGS))
    assert {*figure.campaigns} <= {*shipped("campaigns")}
    asked = {"sampling_map", "atlas", "landscape", "slices", "stoichiometry", "cost"}
    asked |= {one for config in configs for one in config.report.also}
    assert {*figure.shows} <= asked
    assert all(config.phantom.size == 256 for config in configs)
    assert Reproduced(name, (16,), "", (), ()).figure is figure


def test_what_was_stopped_is_resumed_where_it_ran(work, monkeypatch, capsys):
    monkeypatch.setattr("workflows.command.reproduce._reproduced", lambda *_: False)
    monkeypatch.setattr(sys, "argv", ["fusedtomo", "reproduce", "toy", "--size", "16", "--workers", "3"])
    assert cli._main() == 0
    said = "".join(capsys.readouterr())
    assert "fusedtomo reproduce toy --size 16 --machine laptop --out runs/paper --workers 3" in said
