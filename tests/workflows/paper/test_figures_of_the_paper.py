"""What each figure of the paper asks of its runs, on runs whose answers are known."""

from dataclasses import replace

import numpy as np
import pytest

from fusedtomo.plot.drawing import to_figure
from tests.workflows.paper.stub import Stub, said
from tests.workflows.values import campaign, over, trial
from workflows.figures.along import over_last_axis
from workflows.paper import algorithm, atlases, dose, failures, sizes, snr, terms
from workflows.paper.claims import Found

METHODS = ["fused", "fista-tv", "poisson-tv", "poisson"]
SNRS = {"haadf_snr": [10, 50, 2000], "chemical_snr": [2, 6, 25]}


def with_snr(axes=SNRS, methods=("fused", "poisson")):
    given = {"haadf": {"tilts": 20, "snr": 9.0}, "chemical": {"tilts": 9, "snr": 9.0}}
    return campaign(axes=axes, methods=list(methods), acquisition=given)


def test_a_curve_levels_off_where_a_tenth_is_left_to_win():
    errors = [[0.9, 0.8, 0.7], [0.6, 0.5, 0.42], [0.6, 0.45, 0.40]]
    runs = {"one": Stub(with_snr(), {"fused": errors})}
    assert said(snr.levels_off("one", 0, 50)(runs)) == Found("0.420 at 50, 0.400 at 2000", True)
    assert said(snr.levels_off("one", 1, 6)(runs)) == Found("0.450 at 6, 0.400 at 25", False)


def test_fusion_is_held_against_conventional_at_a_poor_snr():
    errors = {"fused": [[0.5, 0.4, 0.3]] * 3, "poisson": [[1.0, 1.0, 0.9]] * 3}
    assert said(snr.beats_at("one", 10)({"one": Stub(with_snr(), errors)})) == Found("2.0 to 3.0 times lower", True)
    errors["poisson"] = [[1.0, 1.0, 0.2]] * 3
    assert snr.beats_at("one", 10)({"one": Stub(with_snr(), errors)}).holds is False


@pytest.mark.parametrize(
    ("fista", "poisson_tv", "expected"),
    [
        ([0.9, 0.4, 0.1], [0.9, 0.9, 0.9], Found("FISTA + TV: from 25 on; Poisson + TV: nowhere", True)),
        ([0.9, 0.2, 0.1], [0.4, 0.2, 0.1], Found("FISTA + TV: from 6 on; Poisson + TV: from 2 on", True)),
        ([0.4, 0.9, 0.1], [0.9, 0.9, 0.9], Found("FISTA + TV: from 25 on; Poisson + TV: nowhere", True)),
        ([0.9, 0.2, 0.9], [0.9, 0.9, 0.9], Found("FISTA + TV: nowhere; Poisson + TV: nowhere", False)),
    ],
)
def test_a_method_overtakes_from_where_it_stays_ahead(fista, poisson_tv, expected):
    config = with_snr({"chemical_snr": [2, 6, 25]}, METHODS)
    errors = {"fused": [0.5, 0.3, 0.2], "fista-tv": fista, "poisson-tv": poisson_tv, "poisson": [1, 1, 1]}
    assert snr.overtaken("one", ("fista-tv", "poisson-tv"))({"one": Stub(config, errors)}) == expected


def test_curves_over_the_last_axis_tell_the_value_of_the_first_where_a_method_sees_it():
    errors = {"fused": [[0.5, 0.4, 0.3], [0.4, 0.3, 0.2], [0.3, 0.2, 0.1]], "poisson": [[1.0, 0.9, 0.8]] * 3}
    wanted = [("fused", 10), ("fused", 2000), ("poisson", 10)]
    info = over_last_axis(with_snr(), Stub(with_snr(), errors).map.error, wanted, "NRMSE")
    assert [curve.label for curve in info.curves] == ["fused, HAADF SNR 10", "fused, HAADF SNR 2000", "Poisson"]
    np.testing.assert_array_equal(info.curves[1].y, [0.3, 0.2, 0.1])
    assert len({curve.color for curve in info.curves}) == 3
    assert info.ticks == ("2", "6", "25")


def test_a_saving_is_how_much_more_dose_the_same_error_takes():
    config = campaign(
        axes={"chemical_tilts": [9, 45], "chemical_total_dose": [1, 10, 100]},
        acquisition={"haadf": {"tilts": 20, "snr": 9.0}, "chemical": {}},
        methods=["fused", "poisson"],
    )
    errors = {"fused": [[0.7, 0.5, 0.2], [1, 1, 1]], "poisson": [[2, 2, 2], [0.8, 0.9, 0.5]]}
    found = dose.saving("poisson")({"paper-s7": Stub(config, errors)})
    # more dose is never worse: 0.7 is reached a third of the way, by its logarithm, from 10 (0.8) to 100; 0.2 nowhere
    assert found == Found("1: 22 x; 10: 10 x; 100: > 1 x", False)
    errors["fused"] = [[0.1, 0.1, 0.1], [1, 1, 1]]  # a hundred times more was tried beside the first alone
    assert dose.saving("poisson")({"paper-s7": Stub(config, errors)}) == Found(
        "1: > 100 x; 10: > 10 x; 100: > 1 x", True
    )
    errors["fused"] = [[0.75, 0.1, 0.1], [1, 1, 1]]
    assert dose.saving("poisson")({"paper-s7": Stub(config, errors)}).holds is False


def test_a_term_is_necessary_where_all_do_worse_without_it():
    config = campaign(haadf=(47,), chemical=(9,), methods=["fused", "fused-without-tv", "poisson"])
    errors = {"fused": [[0.3]], "fused-without-tv": [[0.5]], "poisson": [[1.1]]}
    runs = {"one": Stub(config, errors)}
    assert said(terms.lower("one", "fused", "fused-without-tv", "poisson")(runs)) == Found(
        "0.300 against 0.500, 1.100", True
    )
    assert said(terms.lower("one", "fused-without-tv", "fused")(runs)) == Found("0.500 against 0.300", False)
    assert terms.lower("one", "fused-without-tv", "fused", "poisson")(runs).holds is False
    errors["poisson"] = [[np.nan]]
    assert terms.lower("one", "fused", "poisson")({"one": Stub(config, errors)}) is None


def test_sizes_are_told_from_the_smallest_on():
    errors = {"fused": [0.4, 0.3]}
    stub = Stub(over({"size": [24, 40]}, methods=["fused"]), errors)
    assert sizes.trend("fused")({"paper-sizes": stub}) == Found("0.400 at 24³, 0.300 at 40³")


def of_failures(**errors):
    config = over({"misalignment": [0, 1, 2]}, methods=["fused", "poisson-tv"])
    return {"one": Stub(config, {name.replace("_", "-"): values for name, values in errors.items()})}


def test_a_failure_takes_away_all_that_fusion_gains():
    runs = of_failures(fused=[0.3, 0.4, 0.7], poisson_tv=[0.5, 0.55, 0.6])
    assert failures.fails("one")(runs) == Found("at worst 0.700, Poisson + TV 0.600", True)
    assert failures.grows("one")(runs) == Found("0.300 at 0, 0.700 at 2: +133%")
    assert failures.fails("one")(of_failures(fused=[0.3, 0.4, 0.5], poisson_tv=[0.5, 0.5, 0.6])).holds is False


def test_the_figure_of_failures_has_a_panel_an_axis_and_measure():
    info = failures.failures_info(of_failures(fused=[0.3, 0.4, 0.7], poisson_tv=[0.5, np.nan, 0.6]))
    figure = to_figure(failures.draw_failures, info)
    shown = [ax for ax in figure.axes if ax.axison]
    assert [ax.get_ylabel() for ax in shown] == ["NRMSE", "stoichiometry error"]
    assert [text.get_text() for text in shown[0].get_xticklabels()] == ["0", "1", "2"]
    np.testing.assert_array_equal(shown[0].get_lines()[0].get_ydata(), [0.3, 0.4, 0.7])
    assert info.table.error.tolist()[:3] == [0.3, 0.4, 0.7]
    assert "NRMSE over residual misalignment: fused 0.30 to 0.70, Poisson + TV 0.50 to 0.60" in info.alt_text


def test_weights_are_told_with_how_far_each_may_be_off():
    config = campaign(haadf=(5,), chemical=(3, 9, 27), methods=["fused"])
    tv = [[[1.0, 3.0, 9.0]]]
    measures = {"tv": tv, "tv_low": np.divide(tv, 2), "tv_high": np.multiply(tv, 2)}
    shaped = {name: np.asarray(values, float) for name, values in measures.items()}
    found = atlases.weights_move_little("one")({"one": Stub(config, {"fused": [[1, 1, 1]]}, **shaped)})
    assert found == Found("tv 1.4 to 7.8 in 80 % of cells, of which each tolerates 4.0 x")


def test_most_trials_converge_or_not():
    config = campaign(methods=["fused"])
    stops = ["tolerance", "max_iterations", "max_iterations"]
    ended = [replace(trial("fused-h5-c3", n, 0.5), stopped=stop) for n, stop in enumerate(stops)]
    assert atlases.most_converge("one")({"one": Stub(config, trials=ended)}) == Found(
        f"1 of 3 within {config.solver.max_iterations} iterations", False
    )
    assert atlases.most_converge("one")({"one": Stub(config)}) is None


def test_the_inflection_point_is_good_where_it_costs_little():
    config = campaign(methods=["fused"], report={"landscapes": [[5, 3]]})
    points = [(10.0, 4.0, 0.5), (1.0, 40.0, 0.6), (1.5, 5.0, 0.44), (1.4, 30.0, 0.40)]
    trials = [
        replace(trial("fused-h5-c3", n, nrmse), terms={"haadf": haadf, "chemical": chemical})
        for n, (haadf, chemical, nrmse) in enumerate(points)
    ]
    find = atlases.knee_is_good("one")
    assert find({"one": Stub(config, trials=trials)}) == Found(
        "NRMSE 0.440 at the inflection point, 0.400 at best: +10%", False
    )
    assert find({"one": Stub(config, trials=trials[:3])}).holds is True


def test_algorithm_1_stands_beside_fused_in_every_cell():
    config = over({"haadf_tilts": [5, 20]}, methods=["fused", "gradient-descent"])
    trials = [
        trial(f"{method}-h{tilts}", n, nrmse)
        for method, nrmses in (("fused", (0.5, 0.3, 0.301)), ("gradient-descent", (0.9, 0.8, 0.7)))
        for tilts in (5, 20)
        for n, nrmse in enumerate(nrmses)
    ]
    runs = {"paper-algorithm1": Stub(config, trials=trials)}
    found = {claim.says: claim.find(runs) for claim in algorithm.PAPER["algorithm1"].claims}
    assert found["(what Algorithm 1 reaches)"].text == (
        "lowest NRMSE, fused and Algorithm 1: 0.300 and 0.700 (5 HAADF tilts); 0.300 and 0.700 (20 HAADF tilts)"
    )
    assert "2 and 3 (5 HAADF tilts)" in found["some 50 evaluations a cell"].text
    runs["paper-algorithm1"].trials.pop()
    del runs["paper-algorithm1"].trials[-2:]
    assert all(claim.find(runs) is None for claim in algorithm.PAPER["algorithm1"].claims)
