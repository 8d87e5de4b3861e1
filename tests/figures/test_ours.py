"""Our figures: what they draw is what the core says, and what brute force says where it is cheap."""

from __future__ import annotations

import json
import math
from fractions import Fraction
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from asymtheory_figures import gallery, style
from asymtheory_figures.theory import atlas, coverage, human, landscape, path, phase

from asymtheory import (
    InputError,
    Row,
    asymmetry_ratio,
    build,
    check,
    from_matrix,
    from_weights,
    minimise,
    named,
    pair,
    solve,
    symmetric,
    weighted_risk,
)
from asymtheory.losses.registry import names_of_papers

from .figure_checks import outside, overlaps, unlabelled

CIFAR10H = Path(__file__).parents[3] / "shared" / "data" / "noisy-labels" / "cifar10h.npz"
OURS = ("phase", "path", "landscape", "atlas", "coverage", "human-noise")
WEIGHTS = np.array([0.5, 0.3, 0.2])


def rng(seed=0):
    return np.random.default_rng(seed)


def project(v):
    """Euclidean projection on the simplex, by bisection of the shift: unlike the core, which solves KKT by Newton."""
    low, high = v.min() - 1, v.max()
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if np.maximum(v - middle, 0).sum() > 1 else (low, middle)
    return np.maximum(v - high, 0)


# --------------------------------------------------------------------------------------------------- phase


def family(title):
    return next(f for f in phase.families() if f.title == title)


def test_families_are_the_losses_with_a_threshold():
    """Members of one family have the same threshold by solve; what is left out has none that moves, or is refused."""
    found = phase.families()
    assert {f.atom.name for f in found} == {"amse", "agce", "aul", "ael", "phuber-ce", "taylor-ce"}
    assert {f.atom.name for f in found if not f.least} == {"phuber-ce", "taylor-ce"}
    assert [f.least for f in found] == sorted((f.least for f in found), reverse=True)
    assert {"amse", "jal-ce", "jal-fl"} <= set(family("AMSE, $q=2$").members)
    covered = {name for f in found for name in f.members}
    noise = [symmetric(10, Fraction(k, 10)) for k in (3, 6)]
    for name in names_of_papers():
        loss = build(name)
        if name in covered or loss.main is None or name == "logitclip-ce":
            continue
        answers = {solve(loss, model).answer for model in noise}
        assert len(answers) == 1, name
    same = [solve(build(name), noise[1]).end.value for name in ("amse", "jal-ce", "jal-fl")]
    assert len(set(same)) == 1


@pytest.mark.parametrize("f", phase.families(), ids=lambda f: f.title)
def test_phase_values_are_those_of_solve(f):
    data = phase.phase_data(f, classes=[2, 10, 100], points=9)
    assert data.rates.shape == data.values.shape == (9, 3)
    assert (data.rates < 1 - 1 / data.classes).all()
    for i, j in [(0, 0), (5, 1), (8, 2)]:
        noise = symmetric(int(data.classes[j]), float(data.rates[i, j]))
        found = solve(f.loss, noise, f.parameter)
        assert data.values[i, j] == pytest.approx(found.end.value if found.end else math.inf, rel=1e-6)
    sign = 1 if f.least else -1
    assert (sign * np.diff(data.values, axis=0) >= 0).all()


def test_phase_reaches_up_to_the_boundary():
    data = phase.phase_data(family("AMSE, $q=2$"))
    assert data.classes[0] == 2
    assert data.classes[-1] == 1000
    assert (data.rates[-1] > 0.999 * (1 - 1 / data.classes)).all()
    margin = 1 - data.rates * data.classes / (data.classes - 1)
    np.testing.assert_allclose(data.values, 1 / margin, rtol=1e-6)


@pytest.mark.parametrize("kind", ["symmetric", "pair"])
def test_marks_hold_where_the_exact_minimiser_is_the_vertex(kind):
    noise = {"symmetric": symmetric, "pair": pair}[kind]
    marks = [(f, mark) for f in phase.families() for mark in phase.marks(f, kind)]
    assert len(marks) >= 32
    for f, mark in marks:
        assert mark.eta in phase.RATES[kind]
        assert mark.K == phase.CLASSES[mark.setting.dataset]
        row = noise(mark.K, mark.eta).rows[0]
        least = minimise(f.atom.replace(**{f.parameter: mark.value}), [float(w) for w in row.weights]).point
        assert mark.holds == (least[0] > 1 - 1e-7), (f.title, mark)
    failing = [(f.title, mark.setting.dataset, mark.eta) for f, mark in marks if not mark.holds]
    # c = 0.6 / 0.4 against exp(1 / 1.5), by Cor. 3
    assert failing == ([("AEL", "cifar100", Fraction(2, 5))] if kind == "pair" else [])


def test_limits_of_amse_by_hand():
    """a >= 1 / margin and margin = 1 - eta K / (K - 1)."""
    found = phase.limits(family("AMSE, $q=2$"))
    assert {(s.dataset, value) for s, value, _ in found} >= {("cifar10", 30.0), ("cifar100", 20.0), ("clothing1m", 5.0)}
    for setting, value, eta in found:
        K = phase.CLASSES[setting.dataset]
        assert eta == pytest.approx((1 - 1 / value) * (K - 1) / K, rel=1e-9)


@pytest.mark.parametrize("f", phase.families(), ids=lambda f: f.title)
def test_contour_labels_stand_on_their_contours(f):
    data = phase.phase_data(f)
    cuts = phase.levels(data)
    assert len(cuts) >= 4
    assert data.values.min() < cuts[0] < cuts[-1] < data.values.max()
    places = phase._label_places(data, cuts)
    assert len(places) >= 3
    for K, eta in places:
        value = phase.phase_data(f, [int(K)]).values[:, 0]
        rates = phase.phase_data(f, [int(K)]).rates[:, 0]
        i = int(np.abs(rates - eta).argmin())
        near = sorted((value[max(i - 1, 0)], value[i]))
        assert any(near[0] * (1 - 1e-9) <= cut <= near[1] * (1 + 1e-9) for cut in cuts)


def test_short_numbers():
    assert [phase._short(v) for v in (0.0137, 1.3, 4.4, 7.9, 0.00036)] == [0.01, 1.0, 5.0, 10.0, 0.0005]
    assert [phase._number(v) for v in (0.05, 1.00001, 1e-5, 2e-8)] == [
        "0.05",
        "1.00001",
        "$10^{-5}$",
        "$2\\cdot 10^{-8}$",
    ]


# ---------------------------------------------------------------------------------------------------- path


@pytest.mark.parametrize("loss", path.CONVEX, ids=str)
def test_paths_reach_the_vertex_at_the_threshold_of_solve(loss):
    row = named("cifar10n-worse").worst_row()
    data = path.path_data(loss, row, points=15)
    assert data.threshold == solve(loss, from_weights(row.weights)).end.value
    assert data.threshold in data.values
    assert data.inside == "above"
    np.testing.assert_allclose(data.points.sum(1), 1, atol=1e-12)
    np.testing.assert_allclose(data.top + data.second + data.rest, 1, atol=1e-12)
    above = data.values >= data.threshold * (1 - 1e-12)
    np.testing.assert_allclose(data.top[above], 1, atol=1e-9)
    assert (data.top[~above] < 1 - 1e-6).all()
    assert above.any()
    assert (~above).sum() >= 5
    assert row.target == data.order[0]
    assert row.runner_up == data.order[1]


def test_path_of_amse_is_the_projection():
    row = Row((Fraction(1, 2), Fraction(3, 10), Fraction(1, 5)), 0)
    data = path.path_data(build("amse"), row, points=21)
    for a, point in zip(data.values, data.points, strict=True):
        np.testing.assert_allclose(point, project(a * WEIGHTS), atol=1e-9)


def test_path_of_agce_against_a_fine_grid():
    grid, _ = landscape.lattice(200)
    data = path.path_data(build("agce", q=Fraction(1, 2)), Row((0.5, 0.3, 0.2), 0), points=7)
    for a, point in zip(data.values, data.points, strict=True):
        risk = weighted_risk(build("agce", q=Fraction(1, 2), a=float(a)), WEIGHTS, grid)
        assert np.abs(grid[risk.argmin()] - point).max() < 0.02


def test_concave_path_jumps_where_the_weights_are_equal():
    row = named("cifar10n-worse").worst_row()
    data = path.rate_data(path.CONCAVE, row, points=41)
    order = list(data.order[:2])
    others = np.array([float(w) for w in row.weights])
    others[row.target] = 0
    others /= others.sum()
    for eta, point in zip(data.values, data.points, strict=True):
        weights = eta * others
        weights[row.target] += 1 - eta
        assert weights[point.argmax()] == weights.max()
        assert point.max() == 1
        assert np.flatnonzero(point)[0] == order[0 if eta < data.threshold else 1]
    assert data.inside == "below"
    assert np.diff(data.values).min() < 1e-8  # both sides of the jump are there


def test_a_path_needs_a_threshold():
    with pytest.raises(InputError, match=r"always: any a; a path needs a threshold to cross"):
        path.path_data(build("agce", a=6, q=Fraction(3, 2)), Row((0.5, 0.3, 0.2), 0))


def test_weights_are_read():
    assert path.read_weights("0.5, 0.3,1/5").weights == (Fraction(1, 2), Fraction(3, 10), Fraction(1, 5))
    assert path.read_weights("cifar10n-worse").target == 9
    for text in ("0.5,x", "0.5,0.5", "nonsense"):
        with pytest.raises(InputError) as error:
            path.read_weights(text)
        assert "\n" not in str(error.value)


# ----------------------------------------------------------------------------------------------- landscape


def test_ternary_coordinates():
    corners = landscape.plane(np.eye(3))
    np.testing.assert_allclose(corners[0], [0.5, math.sqrt(3) / 2])
    np.testing.assert_allclose([np.linalg.norm(a - b) for a, b in combinations(corners, 2)], 1)
    np.testing.assert_allclose(landscape.plane([1 / 3] * 3), corners.mean(0))
    np.testing.assert_allclose(landscape.plane([0.2, 0.5, 0.3]), [0.2, 0.5, 0.3] @ corners)
    assert (corners[1:, 1] == 0).all()


def test_lattice_covers_the_simplex_once():
    points, triangles = landscape.lattice(7)
    assert len(points) == 36
    assert len(triangles) == 49
    np.testing.assert_allclose(points.sum(1), 1)
    a, b, c = (landscape.plane(points[triangles[:, i]]) for i in range(3))
    areas = np.abs(np.linalg.det(np.stack([b - a, c - a], axis=1))) / 2
    np.testing.assert_allclose(areas, math.sqrt(3) / 4 / 49)
    assert len({frozenset(t) for t in triangles.tolist()}) == 49


def test_landscapes_below_at_and_above_the_threshold():
    exact = [Fraction(1, 2), Fraction(3, 10), Fraction(1, 5)]
    around = landscape.around_threshold(build("amse"), exact)
    values = [float(loss.a) for loss, _ in around]
    assert values[1] == solve(build("amse"), from_weights(exact)).end.value == 5
    assert values[0] < values[1] < values[2]
    assert [check(loss, from_weights(exact)).asymmetric for loss, _ in around] == [False, True, True]
    for loss, _ in around:
        data = landscape.landscape_data(loss, exact, 60)
        assert data.minimiser is not None
        assert data.edge is None
        np.testing.assert_allclose(data.minimiser, project(float(loss.a) * WEIGHTS), atol=1e-9)
        assert np.abs(data.points[data.risk.argmin()] - data.minimiser).max() <= 1 / 60
        for line in data.lines:
            assert np.abs(line[-1] - data.minimiser).max() < 1e-5
    ((same, title),) = landscape.around_threshold(build("agce", a=6, q=Fraction(3, 2)), exact)
    assert same.a == 6
    assert "always" in title


def numeric_flow(loss, u):
    """-J(u)^2 dF/du with the gradient by central differences along the simplex: where softmax logits move u."""
    jacobian, z, h = np.diag(u) - np.outer(u, u), np.log(u), 1e-5

    def risk(z):
        e = np.exp(z - z.max())
        return float(weighted_risk(loss, WEIGHTS, e / e.sum()))

    slope = np.array([(risk(z + h * e) - risk(z - h * e)) / (2 * h) for e in np.eye(3)])
    return -jacobian @ slope


@pytest.mark.parametrize(
    "loss", [build("amse", a=2), build("agce", a=6, q=Fraction(3, 2)), build("nce"), build("gce")], ids=str
)
def test_flow_points_downhill_along_the_gradient_on_logits(loss):
    starts = np.array([[0.2, 0.5, 0.3], [0.1, 0.1, 0.8]])
    lines = landscape.flow(loss, WEIGHTS, starts, np.geomspace(1e-4, 1e3, 60))
    for start, line in zip(starts, lines, strict=True):
        np.testing.assert_allclose(line[0], start, atol=1e-12)
        np.testing.assert_allclose(line.sum(1), 1, atol=1e-12)
        risk = weighted_risk(loss, WEIGHTS, line)
        assert (np.diff(risk) <= 1e-9).all()
        assert risk[-1] < risk[0] - 1e-3
        np.testing.assert_allclose((line[1] - line[0]) / 1e-4, numeric_flow(loss, start), rtol=5e-3, atol=1e-5)


def test_flow_does_not_depend_on_the_scale_of_the_weights():
    starts, times = np.array([[0.2, 0.5, 0.3]]), np.array([1.0, 10.0])
    one, ten = (landscape.flow(build("amse"), scale * WEIGHTS, starts, times)[0] for scale in (1, 10))
    np.testing.assert_allclose(one, ten, atol=1e-5)


def test_nce_has_a_whole_edge_and_its_flow_one_end():
    data = landscape.landscape_data(build("nce"), WEIGHTS, 40)
    assert data.minimiser is None
    np.testing.assert_array_equal(data.edge, [[1, 0, 0], [0, 1, 0]])
    share = np.linspace(0.05, 0.95, 10)
    near = np.stack([share, 1 - share, np.zeros(10)], 1)
    risks = [
        weighted_risk(build("nce"), WEIGHTS, (1 - e) * near + e * np.array([0, 0, 1])) for e in (1e-3, 1e-100, 1e-300)
    ]
    assert (risks[0] > risks[1]).all()
    assert (risks[1] > risks[2]).all()
    assert risks[2].max() - 0.2 < 3e-3  # 1 / 690 of a cross entropy
    inner = data.risk[np.isfinite(data.risk) & (data.points > 0).all(1)]
    assert inner.min() > 0.2
    for line in data.lines:  # all have arrived: (w_k - w_3) / (w_1 + w_2 - 2 w_3)
        np.testing.assert_allclose(line[-1], [0.75, 0.25, 0], atol=1e-3)


@pytest.mark.parametrize("weights", [[0.5, 0.5], [0.2, 0.5, 0.3], [0.4, 0.3, 0.2, 0.1]])
def test_a_landscape_needs_three_weights_in_order(weights):
    with pytest.raises(InputError, match="three weights, largest first"):
        landscape.landscape_data(build("amse"), weights)


# --------------------------------------------------------------------------------------------------- atlas


def test_the_atlas_holds_every_loss():
    places = atlas.atlas_data()
    titles = [name for place in places for name in place.names]
    assert len(titles) == len(set(titles))
    assert {build(name).title for name in names_of_papers()} <= set(titles)
    linear = next(place for place in places if "MAE" in place.names)
    assert set(linear.names) == {"MAE", "RCE", "NMAE", "NRCE", "unhinged"}
    assert linear.ratio == 1
    assert linear.slope == pytest.approx(1)
    assert {name for place in places if place.published for name in place.names} >= {
        "AEL (1.5)",
        "AUL (6, 3)",
        "AGCE (4, 0.2)",
    }


@pytest.mark.parametrize("name", ["ce", "gce", "nce", "nnce", "amse", "agce", "jal-ce"])
def test_places_in_the_atlas(name):
    """The slope against differences of the loss itself along the even path, r against the core."""
    loss = build(name)
    place = next(p for p in atlas.atlas_data() if loss.title in p.names)

    def slope(t, h=1e-6):
        u = np.array([[x, *[(1 - x) / 9] * 9] for x in (t - h, t + h)])
        low, high = loss(u)[:, 0]
        return (low - high) / (2 * h)

    assert place.slope == pytest.approx(slope(0.1) / slope(0.99), rel=1e-5)
    try:
        r = asymmetry_ratio(loss).r
        assert (place.low, place.high) == (r.low, r.high)
        assert place.low <= place.ratio <= place.high
    except InputError:
        assert place.ratio is None


def test_curves_of_the_atlas():
    for name, values in atlas.CURVES:
        slopes, ratios = atlas.curve(name, values[::8])
        assert ((ratios > 0) & (ratios <= 1)).all()
        sign = -1 if name == "phuber-ce" else 1
        assert (sign * np.diff(ratios) > 0).all()
        assert (sign * np.diff(slopes) <= 1e-9).all()
    slopes, ratios = atlas.curve("ael", [2.0])
    assert ratios[0] == pytest.approx(math.exp(-1 / 2))
    assert slopes[0] == pytest.approx(math.exp(0.89 / 2))


def overlap(a, b):
    return min(a[2], b[2]) - max(a[0], b[0]) > 1e-9 and min(a[3], b[3]) - max(a[1], b[1]) > 1e-9


@pytest.mark.parametrize("seed", range(6))
def test_labels_are_spread_without_overlap(seed):
    random = rng(seed)
    points = random.uniform((3, 3), (297, 197), (18, 2)) if seed % 2 else random.normal((150, 100), 6, (18, 2))
    sizes = [(float(width), 7.0) for width in random.uniform(10, 45, 18)]
    corners = atlas.spread(points, sizes, (0, 0, 300, 200))
    boxes = [(x, y, x + w, y + h) for (x, y), (w, h) in zip(corners, sizes, strict=True)]
    assert not any(overlap(a, b) for a, b in combinations(boxes, 2))
    assert not any(overlap(box, (x - 2.9, y - 2.9, x + 2.9, y + 2.9)) for box in boxes for x, y in points)
    assert all(x >= 0 and y >= 0 and right <= 300 and top <= 200 for x, y, right, top in boxes)


def test_a_label_keeps_off_curves():
    points, curve = np.array([[50.0, 50.0]]), np.stack([np.linspace(56, 99, 40), np.full(40, 50.0)], 1)
    ((x, y),) = atlas.spread(points, [(20.0, 7.0)], (0, 0, 100, 100), curve)
    assert not any(overlap((x, y, x + 20, y + 7), (a - 1, b - 1, a + 1, b + 1)) for a, b in curve)


# ------------------------------------------------------------------------------------------------ coverage


def random_votes(count=300, K=5, seed=3):
    weights = rng(seed).dirichlet(np.full(K, 0.4), count)
    return coverage._by_label(weights, weights.argmax(1), "random")


def test_coverage_of_amse_is_the_share_of_margins():
    votes = random_votes()
    top = np.sort(votes.weights, axis=1)
    margin = top[:, -1] - top[:, -2]
    values = np.array([1.0, 1.3, 2, 5, 40])
    np.testing.assert_allclose(coverage.share(build("amse"), votes, values), [(margin >= 1 / a).mean() for a in values])
    np.testing.assert_allclose(votes.margin, margin)
    assert len(coverage.share(build("amse"), votes, [])) == 0


@pytest.mark.parametrize("loss", [*coverage.LOSSES, build("amse", q=3), build("aul", p=Fraction(1, 2))], ids=str)
def test_coverage_is_what_check_says_image_by_image(loss):
    votes = random_votes(12)
    for value in (1.2, 4.0):
        verdicts = [
            check(loss.replace(**{loss.main: value}), from_weights(w)).asymmetric for w in votes.weights.tolist()
        ]
        assert coverage.share(loss, votes, [value])[0] == pytest.approx(np.mean(verdicts))


def test_a_margin_of_exactly_one_over_a_counts_and_a_tie_does_not():
    weights = np.array([[6.0, 4, 0], [5, 5, 0], [9, 0, 0]])
    votes = coverage._by_label(weights, weights.argmax(1), "")
    np.testing.assert_allclose(coverage.share(build("amse"), votes, [4.999, 5, 1e9]), [1 / 3, 2 / 3, 2 / 3])
    np.testing.assert_allclose(coverage.share(build("agce", q=2), votes, [0.5]), 2 / 3)  # concave: dominance


def test_coverage_refuses_what_no_rule_decides():
    with pytest.raises(InputError, match="KKT or dominance"):
        coverage.share(build("logitclip-ce"), random_votes(), [0.5])
    with pytest.raises(InputError, match="for all values"):
        coverage.share(build("gce"), random_votes(), [0.5, 1])


@pytest.mark.parametrize("eta", [0, Fraction(2, 5), Fraction(7, 10)])
def test_symmetric_noise_is_the_posterior_times_its_matrix(eta):
    votes = random_votes()
    matrix = np.full((5, 5), float(eta) / 4) + np.eye(5) * (1 - float(eta) - float(eta) / 4)
    through, short = votes.through(from_matrix(matrix.tolist())), votes.symmetric(eta)
    np.testing.assert_allclose(short.weights, votes.weights @ matrix, atol=1e-12)
    for part in ("top", "second", "total", "margin"):
        np.testing.assert_allclose(getattr(short, part), getattr(through, part), atol=1e-12)
    np.testing.assert_allclose(short.margin, (1 - float(eta) * 5 / 4) * votes.margin, atol=1e-12)


def test_noise_may_turn_the_most_frequent_label():
    """The class of the clean posterior must stay in front; another one does not count."""
    weights = np.array([[0.8, 0.2, 0.0]])
    votes = coverage._by_label(weights, weights.argmax(1), "")
    mixed = votes.through(from_matrix([[0.4, 0.6, 0], [0, 1, 0], [0, 0, 1]]))
    assert mixed.margin[0] == pytest.approx(0.32 - 0.68)
    np.testing.assert_allclose(coverage.share(build("amse"), mixed, [1e6]), 0)
    for noise in (symmetric(3, Fraction(1, 5)), from_matrix([[1, 0], [0, 1]])):
        with pytest.raises(InputError, match="a transition matrix of 3 classes is needed"):
            votes.through(noise)


def test_embedded_votes():
    votes = coverage.embedded()
    assert votes.K == 10
    assert votes.count.sum() == 10_000
    assert (votes.top >= votes.second).all()
    assert (votes.top + votes.second <= votes.total).all()
    unanimous = votes.count[votes.second == 0].sum() / 10_000
    assert coverage.share(build("amse"), votes, [1])[0] == pytest.approx(unanimous)
    with coverage.EMBEDDED.open(encoding="utf-8") as file:
        table = json.load(file)
    assert "Peterson" in table["source"]
    assert "CC BY-NC-SA 4.0" in table["licence"]
    with pytest.raises(InputError, match=r"whole posteriors are needed \(posteriors=PATH\)"):
        votes.through(named("cifar10n-worse"))


@pytest.mark.skipif(not CIFAR10H.exists(), reason="CIFAR-10H is beside the repository, not in it")
def test_embedded_votes_are_those_of_the_file():
    votes, whole = coverage.embedded(), coverage.read(str(CIFAR10H))
    assert len(whole.top) == 10_000
    rows = np.stack([whole.total, whole.top, whole.second], 1)
    found, count = np.unique(rows, axis=0, return_counts=True)
    np.testing.assert_array_equal(found, np.stack([votes.total, votes.top, votes.second], 1))
    np.testing.assert_array_equal(count, votes.count)
    for loss in coverage.LOSSES:
        for eta in (0, Fraction(4, 5)):
            values = coverage.default_values(loss, 7)
            first, second = (coverage.share(loss, v.symmetric(eta), values) for v in (votes, whole))
            np.testing.assert_allclose(first, second, atol=1e-12)


def test_posteriors_are_read(tmp_path):
    soft, votes = tmp_path / "soft.csv", tmp_path / "votes.npy"
    soft.write_text("0.5,0.3,0.2\n0.1,0.1,0.8\n0,1,0\n0.25,0.25,0.5\n")
    np.save(votes, np.array([[5, 1], [0, 7], [3, 3]]))
    assert coverage.read(str(soft)).label.tolist() == [0, 2, 1, 2]
    np.testing.assert_allclose(coverage.read(str(soft)).margin, [0.2, 0.7, 1, 0.25])
    np.testing.assert_allclose(coverage.read(str(votes)).total, [6, 7, 6])
    bad = tmp_path / "bad.csv"
    bad.write_text("0.5,0.3,0.2\n0.5,0.3,0.1\n1,0,0\n0.5,0.6,0.2\n")
    line = r"bad\.csv: row 1 sums to 0\.9 \(and 1 more\); a posterior must sum to 1, votes must be whole$"
    with pytest.raises(InputError, match=line):
        gallery.make("coverage", posteriors=str(bad))
    with pytest.raises(InputError, match="no such file"):
        gallery.make("coverage", posteriors=str(tmp_path / "none.csv"))
    with pytest.raises(InputError, match="whole posteriors"):
        gallery.make("coverage", noise="cifar10n-worse")


def test_settings_on_the_coverage_curves():
    assert coverage.settings(build("amse")) == [30]
    assert coverage.settings(build("aul", p=Fraction(3, 2))) == [6.3]
    assert coverage.settings(build("ael")) == [5]
    assert coverage.settings(build("agce", q=Fraction(1, 2))) == []


def test_the_axis_of_shares_is_invertible():
    share = np.array([0, 0.3, 0.9, 0.99, 0.9999, 1])
    height = coverage._stretch(share)
    assert (np.diff(height) > 0).all()
    np.testing.assert_allclose(coverage._shrink(height), share, atol=1e-12)


# --------------------------------------------------------------------------------------------------- human


def test_human_noise_binds_where_the_margin_is_least():
    data = human.human_data()
    assert [h.title for h in data] == ["aggre", "random1", "random3", "random2", "worse"]
    assert [h.noise.rate for h in data] == sorted(h.noise.rate for h in data)
    for h in data:
        np.testing.assert_allclose(h.matrix.sum(1), 1)
        margins = {(i, j): h.matrix[i, i] - h.matrix[i, j] for i in range(10) for j in range(10) if i != j}
        least = min(margins, key=margins.get)
        assert h.pair == least
        assert h.thresholds[0].end.value == pytest.approx(1 / margins[least], rel=1e-9)
        c = min(h.matrix[i, i] / max(np.delete(h.matrix[i], i)) for i in range(10))
        # AUL, AUL, AEL, AGCE by ALF Cor. 2, 2, 3, 1
        by_hand = [1 / (1 - c ** (-1 / 2)), 1 / (1 - c**-2), 1 / math.log(c), 1 / (c**2 - 1)]
        np.testing.assert_allclose([found.end.value for found in h.thresholds[1:]], by_hand, rtol=1e-9)
    assert [data[-1].noise.names[k] for k in data[-1].pair] == ["truck", "automobile"]


# ------------------------------------------------------------------------------------------------- pictures


@pytest.mark.parametrize("name", OURS)
def test_pictures_are_labelled_and_nothing_lies_over_anything(name):
    drawn = gallery.make(name)
    with style.context():
        assert overlaps(drawn) == outside(drawn) == unlabelled(drawn) == []
    assert drawn.get_figwidth() == 3.25
    assert len(gallery.recipe(drawn).caption) > 100
    panels = [axes for axes in drawn.axes if axes.get_label() != "<colorbar>"]
    titles = [axes.get_title(loc="left") for axes in panels]
    assert all(title.startswith(f"({letter}) ") for letter, title in zip("abcdefghi", titles, strict=False) if title)
    (legend,) = drawn.legends
    assert not any(legend.get_window_extent().overlaps(axes.get_window_extent()) for axes in drawn.axes)
    if name == "atlas":
        labels = [text.get_text() for text in panels[0].texts if text.get_gid() == "label"]
        assert sorted(labels) == sorted(
            ", ".join(p.names) for p in atlas.atlas_data() if p.ratio is not None and not p.published
        )
