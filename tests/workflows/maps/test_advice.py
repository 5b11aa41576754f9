"""Advice on a dose: what cells cost, which of them is recommended, and what is said where the map knows nothing."""

import math

import pytest

from fusedtomo.errors import InputError
from fusedtomo.settings import Modality
from tests.workflows.values import over, trial
from workflows.maps.advice import Prices, advise, cells_of, check_comparable
from workflows.maps.sampling_map import sampling_map

COUNTS = Prices()
AXES = {"haadf_tilts": [5, 20], "chemical_tilts": [3, 9], "chemical_dose": [2.0, 8.0]}


def campaign(axes=AXES, **changes):
    """HAADF at an SNR of 11, which is 10 counts a pixel."""
    given = {"haadf": {"snr": 11.0}, "chemical": {"snr": 2.5}}
    return over(axes, **{"methods": ["fused", "poisson"], **changes}).model_copy(
        update={"acquisition": over(axes, **changes).acquisition.model_validate(given)}
    )


def fused_errors(h, c, d):
    """Falls with everything; HAADF tilts help most."""
    return 3 / (h * c * d) ** 0.5


def trials(seeds=(None,), fused=fused_errors):
    for h in (5, 20):
        for c in (3, 9):
            for d in (2, 8):
                for i, seed in enumerate(seeds):
                    end = "" if seed is None else f"-s{seed}"
                    yield trial(
                        f"fused-h{h}-c{c}-cd{d}{end}", 0, fused(h, c, d) * (1 + 0.1 * (i - (len(seeds) - 1) / 2))
                    )
                    if h == 5:
                        yield trial(f"poisson-c{c}-cd{d}{end}", 0, 8 / (c * d) ** 0.5)


def cells(prices=COUNTS, config=None, **more):
    config = config or campaign()
    return cells_of(config, sampling_map(config, list(trials(**more))), prices)


def best(budget, found=None, method="fused"):
    return advise(found or cells(), budget, method, "NRMSE")


@pytest.mark.parametrize(
    ("noise", "counts"),
    [
        ({"snr": 3.0}, 8.0),
        ({"snr": {"Co": 2.0, "O": 4.0}}, 8.0),
        ({"dose_counts": 5.0}, 20.0),
        ({"total_dose_counts": 7.0}, 7.0),
    ],
)
def test_total_counts_follow_from_what_the_noise_is_given_by(noise, counts):
    assert Modality.model_validate({"tilts": {"count": 4}, **noise}).total_counts == pytest.approx(counts)


def test_a_cell_costs_the_images_that_its_method_uses():
    found = {cell.condition.key: cell for cell in cells(Prices(0.1, 100.0))}
    fused, poisson = found["fused-h20-c9-cd8"], found["poisson-c9-cd8"]
    assert (fused.haadf.tilts, fused.haadf.counts, fused.haadf.dose) == (20, 200.0, pytest.approx(20.0))
    assert (fused.chemical.tilts, fused.chemical.counts, fused.chemical.dose) == (9, 72.0, pytest.approx(7200.0))
    assert (poisson.haadf, poisson.dose) == (None, pytest.approx(7200.0))
    assert len(found) == 8 + 4


def test_the_best_cell_is_that_of_the_lowest_error_within_the_budget():
    # doses: HAADF 50 or 200, chemical 6, 18, 24 or 72
    advice = best(80)
    assert advice.best.condition.key == "fused-h5-c3-cd8"
    assert advice.best.dose == 74
    assert best(73.9).best.condition.key == "fused-h5-c9-cd2"
    assert best(300).best.condition.key == "fused-h20-c9-cd8"


def test_the_front_has_no_cell_that_a_cheaper_one_is_as_good_as():
    front = best(80).front("fused")
    assert [cell.dose for cell in front] == [56, 68, 74, 122, 224, 272]
    assert [cell.error for cell in front] == sorted((cell.error for cell in front), reverse=True)


def test_conventional_at_the_same_dose_and_what_it_needs_to_be_as_good():
    (rival,) = best(80).rivals  # fused has 0.274 for 74
    assert (rival.method, rival.at_dose.condition.key, rival.most) == ("poisson", "poisson-c9-cd8", 72)
    assert rival.as_good is None
    (rival,) = best(57).rivals  # fused has 0.548 for 56
    assert rival.at_dose.condition.key == "poisson-c3-cd8"
    (rival,) = best(57, cells(fused=lambda *_: 1.9)).rivals
    assert rival.as_good.condition.key == "poisson-c9-cd2"  # 8 / 18**0.5 = 1.886


def test_the_noise_is_that_of_the_repeats_and_unknown_without():
    assert math.isnan(best(80).best.deviation)
    assert best(80).as_good == ()
    config = campaign(repeats={"noise_seed": [1, 2, 3]})
    found = advise(cells(config=config, seeds=(1, 2, 3), fused=lambda h, c, d: 0.5 - h / 1000), 300, "fused", "NRMSE")
    assert (found.best.repeats, found.best.deviation) == (3, pytest.approx(0.1 * 0.48))
    assert len(found.as_good) == 8  # 0.495 +- 0.05 and 0.48 +- 0.05 in three seeds
    assert found.as_good[0].dose == 56


def test_what_the_map_does_not_know_is_said():
    assert best(55).best is None
    assert "55 lies below the cheapest cell of the map, 56" in best(55).warnings[0]
    assert "273 lies above the dearest cell of the map, 272" in best(273).warnings[0]
    assert not any("lies above" in said for said in best(272).warnings)
    assert "edge of the map (20 HAADF tilts, 9 chemical tilts, chemical dose 8" in best(272).warnings[-1]
    middle = campaign({"chemical_tilts": [2, 3, 9]}, methods=["poisson"])
    given = [trial(f"poisson-c{c}", 0, error) for c, error in ((2, 1.0), (3, 0.5), (9, 0.7))]
    found = cells_of(middle.model_copy(update={"acquisition": TILTED}), sampling_map(middle, given))
    assert advise(found, 13.5, "poisson", "NRMSE").warnings == ()


TILTED = over({"chemical_tilts": [3]}).acquisition


def test_an_axis_that_no_dose_chooses_must_be_given():
    config = campaign({"misalignment": [0.0, 1.0], "chemical_tilts": [3, 9]}, methods=["poisson"])
    config = config.model_copy(update={"acquisition": TILTED})
    given = [trial(f"poisson-m{m}-c{c}", 0, 0.5 + m) for m in (0, 1) for c in (3, 9)]
    sampling = sampling_map(config, given)
    with pytest.raises(
        InputError, match=r"'misalignment' changes neither .* --at misalignment=0.0 \(it has 0.0, 1.0\)"
    ):
        cells_of(config, sampling)
    found = cells_of(config, sampling, at={"misalignment": 1.0})
    assert {cell.error for cell in found} == {1.5}
    assert all("misalignment" not in cell.on_edge for cell in found)
    with pytest.raises(InputError, match="misalignment is 2"):
        cells_of(config, sampling, at={"misalignment": 2.0})


def test_runs_stand_beside_each_other_only_where_errors_can_be_compared():
    first = campaign()
    check_comparable([first, campaign({"chemical_tilts": [4, 5], "haadf_tilts": [3]})])
    other = first.model_copy(update={"phantom": first.phantom.model_copy(update={"size": 32})})
    with pytest.raises(InputError, match="differ in the specimen"):
        check_comparable([first, other])
    search = first.search.model_copy(update={"minimise": "rmse"})
    with pytest.raises(InputError, match="differ in what is minimised: NRMSE and RMSE"):
        check_comparable([first, first.model_copy(update={"search": search})])
    gamma = first.acquisition.model_copy(update={"gamma": 1.5})
    with pytest.raises(InputError, match="differ in the acquisition"):
        check_comparable([first, first.model_copy(update={"acquisition": gamma})])


@pytest.mark.parametrize(
    ("budget", "method", "said"),
    [
        (0, "fused", "budget is 0"),
        (math.nan, "fused", "budget is nan"),
        (9, "sirt", "no cell of 'sirt' .* fused, poisson"),
    ],
)
def test_what_is_no_question_is_refused(budget, method, said):
    with pytest.raises(InputError, match=said):
        best(budget, method=method)
    with pytest.raises(InputError, match="a HAADF count costs -1"):
        Prices(haadf=-1)
