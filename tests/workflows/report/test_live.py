"""What a page to explore holds: numbers, packed volumes and scripts, whatever the campaign."""

import base64
import hashlib
import json
import re
import zlib
from dataclasses import replace
from importlib import resources

import numpy as np
import pytest

from fusedtomo.errors import InputError
from fusedtomo.volume import ChemicalVolume
from tests.workflows.values import campaign, everything, over, trial
from workflows.record.journal import Journal
from workflows.report import explore, one_volume
from workflows.report.again import folders_again
from workflows.report.explore import explorer
from workflows.report.live import _COMMON
from workflows.report.numbers import campaign_numbers
from workflows.report.one_volume import TRUTH, write_view
from workflows.report.packed import packed
from workflows.report.page import write_report
from workflows.report.single_cells import Chosen, cell_numbers

NONE = Chosen(surfaces=0)


def varied(config):
    """All trials, each with its own result."""
    return [
        replace(one, nrmse=0.2 + 0.01 * n, point={"haadf": 0.1 + 0.1 * n, "tv": 1.0})
        for n, one in enumerate(everything(config))
    ]


@pytest.mark.parametrize(
    "config",
    [
        over({"chemical_dose": [10.0, 40.0]}),
        over({"haadf_tilts": [5, 20], "chemical_tilts": [3, 9], "unmapped": ["none", "O"]}),
        campaign((5, 20), (3,), repeats={"noise_seed": [1, 2]}),
    ],
)
def test_the_numbers_are_those_of_the_map_in_its_order(findings_of, config):
    findings = findings_of(varied(config), config)
    numbers = json.loads(json.dumps(campaign_numbers(findings), allow_nan=False))
    first = numbers["quantities"][0]
    assert first["name"] == "nrmse"
    for method in config.methods:
        expected = findings.map.nrmse.sel(method_name=method).values.ravel()
        np.testing.assert_allclose(first["values"][method], expected, rtol=1e-4)
        assert len(numbers["conditions"][method]) == expected.size
    assert ("deviation" in first) is bool(config.repeats)
    assert numbers["conditions"]["fused"][0] == [one.key for one in config.repeated(config.cells("fused")[0])]
    assert len(numbers["trials"]["condition"]) == len(findings.trials)
    words = config.cells("fused")[0].words.split(", ")
    assert [axis["said"][0] for axis in numbers["axes"]] == words[1:]


def test_errors_on_other_noise_stand_beside_those_of_the_search(findings_of):
    findings = findings_of([trial("fused-h5-c3", 0, 0.5)], campaign(report={"noise_seeds": [101, 102]}))
    for folder, error in zip(folders_again(findings), (0.6, 0.7), strict=True):
        with folder, Journal(folder.journal) as file:
            file.append(trial("fused-h5-c3", 0, error))
    found = {one["name"]: one for one in campaign_numbers(findings)["quantities"]}
    assert found["nrmse"]["values"]["fused"][0] == 0.5
    assert found["nrmse_again"]["values"]["fused"][0] == pytest.approx(0.65)
    assert found["nrmse_again"]["deviation"]["fused"][0] == pytest.approx(0.1 / 2**0.5, rel=1e-3)
    assert found["nrmse_again"]["label"] == "NRMSE on other noise"


def test_what_is_not_known_is_null(findings_of):
    numbers = campaign_numbers(findings_of([trial("fused-h5-c3", 0, None), trial("fused-h20-c27", 0, 0.25)]))
    assert numbers["quantities"][0]["values"]["fused"] == [None] * 5 + [0.25]
    assert numbers["trials"]["nrmse"] == [None, 0.25]
    json.dumps(numbers, allow_nan=False)


def test_a_campaign_without_a_result_has_a_page(findings_of):
    live = explorer(findings_of([]), NONE)
    assert live.numbers["first_cell"] is None
    assert live.numbers["quantities"][0]["values"]["fused"] == [None] * 6


def test_only_the_scripts_of_the_page_may_run_and_no_text_ends_them(findings_of, tmp_path):
    hostile = replace(trial("fused-h5-c3", 0, None), reason="</script><script>alert(1)</script>")
    write_report(tmp_path / "r.html", findings_of([hostile]), [], {}, chosen=NONE)
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    scripts = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    digests = [base64.b64encode(hashlib.sha256(one.encode()).digest()).decode() for one in scripts]
    assert set(re.findall(r"sha256-([^']*)", policy)) == set(digests)
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy.partition("script-src")[2]
    (numbers,) = re.findall(r'<script type="application/json" id="numbers">(.*?)</script>', text, re.DOTALL)
    assert json.loads(numbers)["trials"]["reason"] == [hostile.reason]


def test_our_scripts_are_small_and_say_what_they_answer():
    files = [one for one in (resources.files("workflows.report") / "assets").iterdir() if one.name.endswith(".js")]
    texts = {one.name: one.read_text(encoding="utf-8") for one in files}
    assert set(texts) == {*_COMMON, *explore._SCRIPTS, *one_volume._SCRIPTS}  # each is in a page
    assert sum(map(len, texts.values())) < 80_000
    assert all(text.startswith("// ") and "?" in text.partition("\n")[0] for text in texts.values())
    assert not any("innerHTML" in text or "</script" in text for text in texts.values())


def ball(size=16, gain=1.0):
    """A volume of two elements."""
    z, y, x = np.indices((size,) * 3) - size / 2
    inside = (z**2 + y**2 + x**2 < (size / 3) ** 2).astype(np.float32)
    return ChemicalVolume(np.stack([gain * inside, gain * 0.4 * inside * (x > 0)]), ("Co", "O"), 2.0)


def unpacked(pack):
    """The concentrations of a packed volume."""
    data = np.frombuffer(zlib.decompress(base64.b64decode(pack["data"])), np.uint8)
    return data.reshape(-1, *pack["shape"]) * np.reshape(pack["peaks"], (-1, 1, 1, 1)) / 255


def test_a_packed_volume_is_the_volume_in_steps_of_a_byte():
    volume = ball()
    assert unpacked(packed(volume)) == pytest.approx(volume.data, abs=1 / 255)
    assert len(packed(volume)["data"]) < volume.data.size / 4


def test_a_large_volume_is_averaged_and_a_bright_voxel_takes_no_steps():
    volume = ball(130)
    pack = packed(volume)
    assert (pack["shape"], pack["voxel_nm"]) == ([43, 43, 43], 6.0)
    noisy = replace(ball(), data=ball().data.copy())
    noisy.data[0, 0, 0, 0] = 100
    assert packed(noisy, ball())["peaks"][0] == 2  # twice the truth's
    assert unpacked(packed(noisy, ball()))[0].max() == 2


def test_volumes_beyond_the_room_of_a_page_are_named(findings_of, keep):
    config = campaign(
        phantom={"name": "cuo_coo_nanocubes", "size": 16, "seed": 0}, report={"slices": [[5, 3], [20, 3]]}
    )
    findings = findings_of([trial("fused-h5-c3", 0, 0.5), trial("fused-h20-c3", 0, 0.4)], config)
    for condition in (config.cell("fused", (5, 3)), config.cell("fused", (20, 3))):
        keep(findings, condition, findings.truth(condition))
    assert {"fused-h5-c3", "fused-h20-c3"} < set(cell_numbers(findings, Chosen(0))["volumes"])
    few = cell_numbers(findings, Chosen(0, volume_bytes=1000))
    assert "fused-h20-c3" not in few["volumes"]
    assert few["not_shown"] == ["fused-h20-c3"]
    assert len([name for name in few["volumes"] if name.startswith("truth")]) == 1  # one specimen
    assert few["costs"]["fused-h5-c3"] == {"total": [2.0, 1.0]}


def test_as_many_landscapes_are_fitted_as_were_asked_for(findings_of):
    points = [
        {"haadf": 0.01, "tv": 1.0},
        {"haadf": 0.1, "tv": 10.0},
        {"haadf": 1.0, "tv": 2.0},
        {"haadf": 0.3, "tv": 5.0},
    ]
    trials = [
        trial(key, n, 0.3 + 0.1 * n, **at) for key in ("fused-h5-c3", "fused-h20-c3") for n, at in enumerate(points)
    ]
    findings = findings_of(trials)
    assert list(cell_numbers(findings, Chosen(1))["landscapes"]) == ["fused-h5-c3"]
    (fit,) = cell_numbers(findings, Chosen(1))["landscapes"].values()
    assert [axis["name"] for axis in fit["axes"]] == ["haadf", "tv"]
    assert np.shape(fit["surface"]) == (len(fit["grid"][1]), len(fit["grid"][0]))
    assert (fit["grid"][0][0], fit["grid"][0][-1]) == pytest.approx((1e-3, 10.0))  # the whole range


def test_the_page_of_one_volume(tmp_path):
    write_view(tmp_path / "v.html", {TRUTH: ball(), "mine": ball(gain=0.5)}, {"file": "<mine>.h5"})
    text = (tmp_path / "v.html").read_text(encoding="utf-8")
    (numbers,) = re.findall(r'id="numbers">(.*?)</script>', text, re.DOTALL)
    found = json.loads(numbers)
    assert [(row["label"], row["exact"], row["note"]) for row in found["rows"]] == [
        (TRUTH, True, ""),
        ("mine", False, "NRMSE 0.000"),
    ]
    co = {one["label"]: one for one in found["histograms"]["Co"]}
    full = 100 * np.count_nonzero(ball()["Co"]) / ball()["Co"].size
    assert co["mine"]["share"][
        co["mine"]["at"].index(next(at for at in co["mine"]["at"] if at > 0.5))
    ] == pytest.approx(full, rel=1e-3)
    assert "&lt;mine&gt;.h5" in text
    assert "16 × 16 × 16 voxels" in text


def test_volumes_that_do_not_fit_together_are_one_message(tmp_path):
    with pytest.raises(InputError, match=r"'b' has \(8, 8, 8\) voxels .* 'a' \(16, 16, 16\); give volumes of one grid"):
        write_view(tmp_path / "v.html", {"a": ball(), "b": ball(8)}, {})
    other = ChemicalVolume(ball().data, ("Au", "C"), 2.0)
    with pytest.raises(InputError, match="no element in common: 'a' has Co, O; 'b' has Au, C"):
        write_view(tmp_path / "v.html", {"a": ball(), "b": other}, {})
    assert not (tmp_path / "v.html").exists()
