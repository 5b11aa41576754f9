"""`fusedtomo reconstruct` warns where data look like a known failure, and says nothing of other data."""

import pytest
from typer.testing import CliRunner

from fusedtomo.io import write_dataset
from fusedtomo.settings import Acquisition
from fusedtomo.simulate import simulate
from phantoms.registry import PhantomSpec, make_phantom, phantom_rng
from workflows.command.cli import app


@pytest.fixture(scope="module")
def phantom():
    spec = PhantomSpec(name="conio_nanotube", size=24, seed=1)
    return make_phantom(spec, phantom_rng(spec))


def said(phantom, tmp_path, *options, **more):
    acquisition = Acquisition.model_validate(
        {"haadf": {"tilts": {"count": 25}, "snr": 200.0}, "chemical": {"tilts": {"count": 9}, "snr": 3.0}, **more}
    )
    write_dataset(simulate(phantom, acquisition), tmp_path / "data.h5")
    words = ["reconstruct", str(tmp_path / "data.h5"), "--out", str(tmp_path / "out.h5"), "--iterations", "40"]
    done = CliRunner().invoke(app, [*words, "--no-picture", *options], catch_exceptions=False)
    assert done.exit_code == 0
    return " ".join(done.output.split())


def test_clean_data_are_reconstructed_without_a_warning(phantom, tmp_path):
    assert "warning" not in said(phantom, tmp_path)


def test_images_that_do_not_match_are_told_with_the_misfit_that_they_leave(phantom, tmp_path):
    found = said(phantom, tmp_path, misalignment_px=1.5)
    assert "warning: HAADF images lie" in found
    assert "warning: HAADF is not explained by the reconstruction" in found


def test_a_method_without_haadf_has_no_misfit_of_it(phantom, tmp_path):
    found = said(phantom, tmp_path, "--method", "poisson", misalignment_px=1.5)
    assert "warning: HAADF images lie" in found
    assert "is not explained" not in found
