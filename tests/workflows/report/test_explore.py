"""The interactive page in a browser: is it clicked through, read aloud, printed, and offline, as it should be?"""

import io
import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from fusedtomo.io import write_reconstruction
from tests.browser import Opened, chromium
from tests.workflows.values import campaign, everything, trial
from workflows.record.journal import Journal
from workflows.record.runfolder import RunFolder
from workflows.report.findings import Findings
from workflows.report.page import write_report
from workflows.report.product import Exhibit
from workflows.report.single_cells import USUAL

HOSTILE = "ValueError: </script><img src=x onerror=alert(1)>"
CELL = (20, 9)  # whose reconstructions are kept
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360000002000001e221bc330000000049454e44ae426082"
)


def journal(config):
    """All trials of a campaign, each with its own result; the last one of the first cell has failed."""
    made = []
    for n, one in enumerate(everything(config)):
        space = config.space(next(each for each in config.conditions() if each.key == one.condition))
        point = {
            name: value for name, value in {"haadf": 0.01 * (1 + n % 5), "tv": 1.0 + n % 4}.items() if name in space
        }
        rmse = {"Co": 0.02 + 1e-3 * n, "Au": 0.03}
        last = (one.condition, one.trial) == ("fused-h5-c3", 3)
        made.append(
            replace(trial("fused-h5-c3", 3, None), reason=HOSTILE)
            if last
            else replace(one, nrmse=0.2 + 0.01 * n, point=point, rmse_by_element=rmse, stoichiometry_error=0.1)
        )
    return made


def keep_volumes(findings, values, noise=0.0):
    """Reconstructions of a cell by all methods: the truth, fainter from method to method."""
    rng = np.random.default_rng(values)
    cell = findings.config.cell("fused", values)
    truth = findings.truth(cell)
    for number, condition in enumerate(findings.beside(cell).values()):
        best, path = findings.best(condition), findings.reconstruction_of(condition)
        path.parent.mkdir(exist_ok=True)
        facts = {"condition": condition.key, "trial": best.trial, "point": json.dumps(best.point)}
        facts |= {"fingerprint": findings.config.fingerprint()}
        grains = np.float32(noise) * np.abs(rng.standard_normal(truth.data.shape, np.float32))
        volume = replace(truth, data=truth.data * np.float32(1 - 0.2 * number) + grains)
        write_reconstruction(path, volume, {"total": [9.0, 3.0, 2.0], "tv": [1.0, 2.0, 2.0]}, facts, overwrite=True)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """A finished campaign of 2 x 3 cells, of one of which reconstructions are kept."""
    config = campaign(phantom={"name": "cuo_coo_nanocubes", "size": 16, "seed": 0}, report={"slices": [CELL]})
    with RunFolder(tmp_path_factory.mktemp("explore") / "run", config) as folder, Journal(folder.journal) as file:
        file.append(*journal(config))
    findings = Findings(folder)
    keep_volumes(findings, CELL)
    return findings


@pytest.fixture(scope="module")
def path(found):
    """Its page, with one static picture."""
    exhibits = [
        Exhibit("Sampling map", "A caption.", "A map.", PNG, (), live=True),
        Exhibit("More", "", "More.", PNG, ()),
    ]
    write_report(found.path / "report.html", found, exhibits, {"machine": "laptop"})
    return found.path / "report.html"


@pytest.fixture(scope="module")
def browser():
    """Chromium."""
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def opened(browser, path):
    """The page, opened once: it takes a second of a core; tests leave it as they found it or choose what they need."""
    page = Opened(browser.new_page(viewport={"width": 1300, "height": 900}), path)
    page.until("performance.getEntriesByName('cell shown').length > 0 && document.querySelector('.slices canvas')")
    yield page
    assert page.said == []  # whatever the tests clicked
    assert page.elsewhere == []


def settled(opened, script="true"):
    """Do something in the page, and wait until the chosen cell is drawn."""
    opened.value("performance.clearMarks('cell shown')")
    opened.value(script)
    opened.until("performance.getEntriesByName('cell shown').length > 0")


def errors_of(found, name="nrmse", method="fused"):
    """The map as rows over columns."""
    return found.map[name].sel(method_name=method).values


def test_the_page_begins_with_the_cell_that_the_campaign_names(opened, found):
    assert opened.value("$('cell-title').textContent") == "20 HAADF tilts, 9 chemical tilts"
    assert opened.value("document.activeElement.tagName") == "BODY"
    heat = opened.value("$('map').data.map((trace) => [trace.meta.method, trace.z])")
    assert [name for name, _ in heat] == ["fused", "poisson-tv", "poisson"]
    np.testing.assert_allclose(heat[0][1], errors_of(found), rtol=1e-4)
    np.testing.assert_allclose(heat[1][1][0], errors_of(found, method="poisson-tv")[0], rtol=1e-4)


def click_cell(opened, row, column):
    """A real click into the middle of a cell of the map, rows counted from below."""
    opened.value("$('map').scrollIntoView({block: 'center'})")
    box = opened.value("(() => { const b = $('map').getBoundingClientRect(); return [b.left, b.top]; })()")
    at = opened.value("frames.get('map')")
    x = box[0] + at["left"] + at["room"] * (column + 0.5)
    y = box[1] + at["top"] + at["room"] * (at["rows"] - 0.5 - row)
    opened.page.mouse.move(x, y)
    opened.value("performance.clearMarks('cell shown')")
    opened.page.mouse.click(x, y)
    opened.until("performance.getEntriesByName('cell shown').length > 0")


def test_a_click_shows_the_cell_and_its_trials(opened, found):
    click_cell(opened, 0, 2)
    assert opened.value("$('cell-title').textContent") == "5 HAADF tilts, 27 chemical tilts"
    row = opened.value("[...document.querySelectorAll('#cell-table tr.chosen td')].map((one) => one.textContent)")
    assert row[0] == f"{errors_of(found)[0, 2]:.3f}"
    assert row[-1] == "not kept"
    own = [one for one in found.trials if one.condition == "fused-h5-c27"]
    traces = opened.value("$('landscape').data.map((trace) => [trace.name, trace.type, trace.x.length])")
    assert ["trial", "scatter", len(own)] in traces
    assert "contour" in [kind for _, kind, _ in traces]
    hover = opened.value("$('landscape').data.find((trace) => trace.name === 'trial').hovertext[0]")
    assert "NRMSE" in hover
    assert "fidelity 1" in hover
    assert "report.slices" in opened.value("$('no-volumes').textContent")
    frame = opened.value(
        "(() => { const f = document.querySelector('.frame').getBoundingClientRect(); return f.width; })()"
    )
    assert frame == pytest.approx(opened.value("frames.get('map').room"), abs=1)


def test_the_hover_tells_everything_of_a_cell(opened, found):
    text = opened.value("$('map').data[0].hovertext[0][1]")
    for piece in (
        "fused, 5 HAADF tilts, 9 chemical tilts",
        f"NRMSE {errors_of(found)[0, 1]:.3f}",
        "RMSE of Co",
        "λ₃ (TV)",
        "stoichiometry error 0.100",
        "within 5 %",
        "4 trials, 0 failed",
    ):
        assert piece in text


def test_arrow_keys_walk_over_the_map_and_the_methods_below_it(opened):
    settled(opened, "choose([0, 0], 'fused')")
    opened.page.focus("#map")
    walked = []
    for key in ("ArrowRight", "ArrowUp", "ArrowDown", "ArrowDown", "ArrowDown", "ArrowDown"):
        opened.page.keyboard.press(key)
        walked.append(opened.value("[state.method, ...state.at]"))
    assert walked[:3] == [["fused", 0, 1], ["fused", 1, 1], ["fused", 0, 1]]
    assert [method for method, *_ in walked[3:]] == ["poisson-tv", "poisson", "poisson"]
    assert opened.value("$('chosen').textContent").startswith("Poisson, 5 HAADF tilts, 9 chemical tilts: NRMSE")
    opened.page.keyboard.press("ArrowUp")
    opened.page.keyboard.press("ArrowUp")
    settled(opened)
    assert opened.value("state.method") == "fused"


def test_switches_change_what_the_map_shows(opened, found):
    label = "RMSE of Co"
    opened.page.select_option("#quantity", label=label)
    np.testing.assert_allclose(
        opened.value("$('map').data[0].z"),
        found.map.rmse_by_element.sel(method_name="fused", element="Co").values,
        rtol=1e-4,
    )
    opened.page.select_option("#quantity", label="NRMSE")
    own, every = errors_of(found), found.map.nrmse.values
    limits = "[$('map').layout.coloraxis.cmin, $('map').layout.coloraxis.cmax]"
    assert opened.value(limits) == pytest.approx([own.min(), own.max()], rel=1e-4)  # of fused cells alone
    opened.page.check("#every-colour")
    assert opened.value(limits) == pytest.approx([every.min(), every.max()], rel=1e-4)
    opened.page.uncheck("#every-colour")
    opened.page.check("#swap")
    np.testing.assert_allclose(opened.value("$('map').data[0].z"), own.T, rtol=1e-4)
    opened.page.uncheck("#swap")


def test_the_atlas_shows_the_weights_on_a_logarithmic_scale(opened, found):
    assert opened.value("$('atlas-title').textContent") == "Atlas: λ₁ (HAADF) of the best trial"
    expected = np.log10(found.map.haadf.sel(method_name="fused").values)
    np.testing.assert_allclose(opened.value("$('atlas').data[0].z"), expected, atol=1e-4)


def pixel(opened, row, column, x, y):
    """Colour of a pixel of a slice's canvas, x to the right and y downwards."""
    canvas = f"document.querySelectorAll('.slices tbody tr')[{row}].querySelectorAll('canvas')[{column}]"
    return opened.value(f"[...{canvas}.getContext('2d').getImageData({x}, {y}, 1, 1).data].slice(0, 3)")


def test_slices_show_the_concentrations_of_the_kept_reconstructions(opened, found):
    settled(opened, "choose([1, 1], 'fused')")
    opened.until("!$('volumes').hidden && document.querySelectorAll('.slices tbody tr').length === 4")
    names = opened.value("[...document.querySelectorAll('.slices tbody th')].map((one) => one.firstChild.textContent)")
    assert names == ["truth", "Poisson", "Poisson + TV", "fused"]
    cell = found.config.cell("fused", CELL)
    truth = found.truth(cell)
    element = truth.elements.index("Co")
    for plane, axes in (("zy", (0, 1, 2)), ("yx", (1, 2, 0)), ("zx", (0, 2, 1))):
        opened.page.select_option(".plane", plane)
        index = int(np.asarray(truth.data[element]).sum(axis=axes[:2]).argmax())
        opened.page.fill(".slice", str(index))
        cut = np.moveaxis(truth.data[element], axes[2], 0)[index]
        down, across = np.unravel_index(cut.argmax(), cut.shape)
        bright = cut.max() / truth.data[element].max()
        color = np.array([0x6F, 0x6C, 0xF2]) * bright
        column = opened.value("page.volumes[viewer.rows[0].key].elements").index("Co")
        assert pixel(opened, 0, column, across, 15 - down) == pytest.approx(color, abs=3)
        assert pixel(opened, 1, column, across, 15 - down) == pytest.approx(color, abs=3)  # the first: not fainter
        assert pixel(opened, 3, column, across, 15 - down) == pytest.approx(0.6 * color, abs=4)
    assert f"{index} of 16" in opened.value("document.querySelector('.place').textContent")


def test_concentrations_and_cost_are_those_of_the_kept_reconstruction(opened):
    settled(opened, "choose([1, 1], 'fused')")
    lines = opened.value("$('cost').data.map((trace) => [trace.name, trace.y])")
    assert lines == [["sum", [9, 3, 2]], ["total variation", [1, 2, 2]]]
    means = opened.value(
        "Object.fromEntries(page.methods.map((m) => [m.name, page.concentrations[keysOf(m.name)[0]].Co]))"
    )
    assert means["fused"]["mean"] == pytest.approx(0.6 * means["fused"]["expected"], rel=1e-3)
    assert opened.value("$('concentrations').data.length") == 3


BALL = """(() => {
  const [n, radius, middle] = [24, 8.3, 11.2];
  const bytes = new Uint8Array(n ** 3);
  for (let z = 0; z < n; z++) for (let y = 0; y < n; y++) for (let x = 0; x < n; x++) {
    const depth = radius - Math.hypot(x - middle, y - middle, z - middle);
    bytes[(z * n + y) * n + x] = Math.max(0, Math.min(255, 128 + 60 * depth));
  }
  const net = surfaceNet(bytes, [n, n, n], 128);
  return [net.points, net.triangles, [...normalsOf(net)]];
})()"""


def test_the_surface_of_a_ball_is_closed_and_in_place(opened):
    points, triangles, normals = (np.reshape(values, (-1, 3)) for values in opened.value(BALL))
    distances = np.linalg.norm(points - 11.2, axis=1)
    assert (distances.min(), distances.max()) == pytest.approx((8.3, 8.3), abs=0.3)
    edges = [(a, b) for face in triangles.tolist() for a, b in zip(face, [*face[1:], face[0]], strict=True)]
    assert len(set(edges)) == len(edges)  # every edge once in each direction: closed, and turned one way
    assert {(b, a) for a, b in edges} == set(edges)
    assert (np.sum(normals * (points - 11.2), axis=1) > 0).all()


def test_surfaces_are_drawn_when_they_come_into_view_and_turn_by_keys(opened):
    settled(opened, "choose([1, 1], 'fused')")
    opened.value("document.querySelector('.solid').scrollIntoView()")
    opened.until("document.querySelectorAll('.solid canvas').length === 4")
    opened.until("viewer.solid.solids.every((solid) => solid.parts.length > 1)")
    truth = opened.page.locator(".solid canvas").first
    before = seen(truth)
    assert before.std() > 5  # something is drawn
    truth.focus()
    opened.page.keyboard.press("ArrowLeft")
    opened.page.wait_for_timeout(100)
    assert np.abs(seen(truth) - before).mean() > 1


def seen(locator):
    """What is seen of an element, grey, in 0 to 255."""
    return np.asarray(Image.open(io.BytesIO(locator.screenshot())).convert("L"), float)


def test_failed_trials_are_found_with_their_reason_as_text(opened, found):
    opened.page.select_option("#trials-status", "failed")
    rows = opened.value("[...document.querySelectorAll('#trials-table tbody tr')].map((row) => row.textContent)")
    assert len(rows) == 1
    assert HOSTILE in rows[0]
    assert opened.value("document.querySelectorAll('#trials-table img').length") == 0
    opened.page.select_option("#trials-status", "all")
    opened.page.fill("#trials-find", "poisson-tv-c9")
    assert opened.value("$('trials-count').textContent").startswith("2 of ")
    opened.page.fill("#trials-find", "")
    opened.page.click("#trials-table th button:text-is('NRMSE')")
    column = "[...document.querySelectorAll('#trials-table tbody td:nth-child(4)')].map((one) => one.textContent)"
    values = opened.value(column)
    assert values == sorted(values)
    opened.page.click("#trials-table th button >> nth=3")
    assert [one for one in opened.value(column) if one != "–"] == sorted(set(values) - {"–"}, reverse=True)
    settled(opened, "document.querySelectorAll('#trials-table tbody tr')[0].click()")
    worst = max((one for one in found.trials if one.ok), key=lambda one: one.nrmse)
    assert worst.condition in opened.value("keysOf(state.method)")


def test_a_dark_page_has_dark_figures(opened):
    ink = "[$('map').layout.font.color, getComputedStyle(document.body).backgroundColor]"
    opened.page.emulate_media(color_scheme="dark")
    opened.until("$('map').layout.font.color === '#e6edf3'")
    assert opened.value(ink) == ["#e6edf3", "rgb(13, 17, 23)"]
    opened.page.click("#theme")
    assert opened.value(ink) == ["#1b1f24", "rgb(255, 255, 255)"]
    opened.page.emulate_media(color_scheme="light")
    opened.value("delete document.documentElement.dataset.theme, redraw()")


def test_at_400_pixels_nothing_is_cut_off(opened):
    opened.page.set_viewport_size({"width": 400, "height": 800})
    opened.until("$('map').clientWidth < 400 && $('map').layout.width <= 390")
    assert opened.value("document.documentElement.scrollWidth") <= 400
    opened.page.set_viewport_size({"width": 1300, "height": 900})
    opened.until("$('map').clientWidth > 400 || innerWidth === 1300")


@pytest.mark.parametrize(("scheme", "rules"), [("light", {}), ("dark", {"runOnly": ["color-contrast"]})])
def test_axe_finds_nobody_kept_out(opened, scheme, rules):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    opened.page.emulate_media(color_scheme=scheme)
    violations = axe.Axe().run(opened.page, options=rules).response["violations"]
    serious = [one for one in violations if one["impact"] in ("serious", "critical")]
    assert [(one["id"], [node["html"][:150] for node in one["nodes"]]) for one in serious] == []
    opened.page.emulate_media(color_scheme="light")


VISIBLE = "[...document.querySelectorAll('%s')].map((one) => getComputedStyle(one).display !== 'none')"


def test_print_has_the_static_pictures_in_place_of_the_interactive_ones(opened):
    assert opened.value(VISIBLE % "section.printed") == [False]
    opened.page.emulate_media(media="print")
    assert opened.value(VISIBLE % "section.printed") == [True]
    assert not any(opened.value(VISIBLE % "section.live"))
    opened.page.emulate_media(media="screen")
    assert all(opened.value(VISIBLE % "section.live"))


def test_without_scripts_the_static_pictures_are_there(browser, path):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(path.as_uri())
    assert page.locator("section.printed img").is_visible()
    assert not page.locator("#explore").is_visible()
    context.close()


@pytest.mark.nightly
def test_the_page_of_24_cells_takes_12_mb(tmp_path):
    """Six of them have volumes at 64^3."""
    cells = [(h, c) for h in (5, 20) for c in (3, 9, 27)]
    config = campaign(
        (5, 10, 20, 40),
        (3, 6, 9, 14, 20, 27),
        report={"slices": cells},
        phantom={"name": "cuo_coo_nanocubes", "size": 64, "seed": 0},
    )
    with RunFolder(tmp_path / "run", config) as folder, Journal(folder.journal) as file:
        file.append(*journal(config))
    findings = Findings(folder)
    for values in cells:
        keep_volumes(findings, values, noise=0.02)  # compresses as badly as real ones
    write_report(tmp_path / "r.html", findings, [], {}, chosen=USUAL)
    assert (tmp_path / "r.html").stat().st_size <= 12e6
