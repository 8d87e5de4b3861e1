"""Figures of training runs: those of the papers, as one table, and one of any runs (``curves``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from matplotlib.figure import Figure

from .. import style
from ..gallery import figure, remark
from ..results import FOLDER, NothingMeasured, load
from .curve_panels import DRAW, measured, noise_words, seeds
from .printed import (
    Statement,
    above,
    best_above,
    best_at,
    even,
    fails,
    falls,
    falls_below_threshold,
    gains,
    gains_nothing,
    grows,
    judged,
    milder,
    rises,
    stays,
    steadier,
)
from .series import ASYMMETRIC, SCALE, STRENGTH, Noise, Panel, Series, Shown, gather


@dataclass(frozen=True)
class Spec:
    """One figure of a paper. Its plan of runs has its name: ``asymtheory sweep apl-fig1``.

    ``kind``: epochs, strengths or maps (:mod:`.curve_panels`). ``papers``: the data sets of the printed figure.
    """

    name: str
    title: str
    source: str
    shows: str
    panels: tuple[Panel, ...]
    kind: str = "epochs"
    claims: tuple[Statement, ...] = ()
    papers: tuple[str, ...] = ("cifar10",)
    note: str = ""
    least: float = style.PANEL


Given = Mapping[str, str]  # parameters of a loss

SYM_6: Noise = ("symmetric", "0.6")
SYM_8: Noise = ("symmetric", "0.8")
ASYM_4: Noise = (ASYMMETRIC, "0.4")
ON_CIFAR100 = {"cifar100": SYM_6}  # ANL's figures have 0.8 on CIFAR-10 and 0.6 on CIFAR-100

ANL_CE = {"alpha": "5", "beta": "5"}
ANL_CE_100 = {"cifar100": {"alpha": "10", "beta": "1"}}
NCE_RCE_100 = {"cifar100": {"alpha": "10", "beta": "0.1"}}


def _pairs() -> tuple[Panel, ...]:
    """APL Fig. 1 and 2: every loss with its normalised form."""
    names = (("CE", "NCE"), ("FL", "NFL"), ("MAE", "NMAE"), ("RCE", "NRCE"))
    return tuple(
        Panel(
            f"{plain}, {normal}",
            (Series(plain, plain.lower(), look="ce"), Series(normal, normal.lower(), look="nce")),
            SYM_6,
        )
        for plain, normal in names
    )


# APL Sec. 5.1 says these of both figures
_NORMALISED = (
    Statement("CE and FL overfit", falls("CE", "FL")),
    Statement("NCE and NFL do not overfit", stays("NCE", "NFL")),
    Statement("MAE and RCE stay robust when normalised", stays("MAE", "RCE", "NMAE", "NRCE")),
    Statement("NMAE underfits more than MAE", above(("MAE",), ("NMAE",))),
    Statement("NRCE underfits more than RCE", above(("RCE",), ("NRCE",))),
)
_PAIRS_SHOW = "Test accuracy over epochs of a loss and of its normalised form, which is robust to symmetric noise."
APL_LOSSES = ("NCE+MAE", "NCE+RCE", "NFL+MAE", "NFL+RCE")


def _joint() -> tuple[Panel, ...]:
    """APL Fig. 4."""
    joint = tuple(Series(name, name.lower(), look="jal") for name in APL_LOSSES)
    two = (Series("NFL+NCE", "nfl+nce", look="nce"), Series("MAE+RCE", "mae+rce", look="mae"))
    return (Panel("", (*joint, *two), SYM_6),)


def _fits() -> tuple[Panel, ...]:
    """ANL Fig. 2: what of the training set and of the test set each loss gets right."""
    losses: tuple[tuple[str, str, Given, Mapping[str, Given], str | None], ...] = (
        ("CE", "ce", {}, {}, None),
        ("MAE", "mae", {}, {}, None),
        ("NCE+RCE", "nce+rce", {}, NCE_RCE_100, None),
        ("ANL-CE, L2", "anl-ce", ANL_CE, ANL_CE_100, "l2"),
        ("ANL-CE, L1", "anl-ce", ANL_CE, ANL_CE_100, "l1"),
    )
    return tuple(
        Panel(
            title,
            tuple(Series(title, loss, given, what, (), penalty, "", other) for what in ("clean", "memorised", "test")),
            SYM_8,
            ON_CIFAR100,
        )
        for title, loss, given, other, penalty in losses
    )


AGCE, AUL = "AGCE, $q = 1/2$", "AUL, $p = 2$"


def _over_a() -> tuple[Panel, ...]:
    """ALF Fig. 3."""
    losses: tuple[tuple[str, str, Given], ...] = (
        (AGCE, "agce", {"q": "1/2"}),
        ("AGCE, $q = 3/2$", "agce", {"q": "3/2"}),
        (AUL, "aul", {"p": "2"}),
        ("AUL, $p = 1/2$", "aul", {"p": "1/2"}),
        ("AEL", "ael", {}),
    )
    return tuple(
        Panel(title, (Series(title, loss, given, over=("a",)),), SYM_8, theory=True) for title, loss, given in losses
    )


def _norms(loss: str, given: Given, other: Mapping[str, Given]) -> tuple[Series, ...]:
    looks = {"l1": "amse", "l2": "agce", "jacobian": "gce"}
    names = {"l1": "L1", "l2": "L2", "jacobian": "Jacobian"}
    return tuple(
        Series(names[norm], loss, given, over=(STRENGTH,), penalty=norm, look=look, elsewhere=other)
        for norm, look in looks.items()
    )


def _weights(
    name: str, loss: str, whats: Mapping[str, str], noise: Noise, other: Mapping[str, Noise]
) -> tuple[Panel, ...]:
    """A map over alpha and beta for each measure."""
    return tuple(
        Panel(
            title,
            (Series(f"{name}{', ' if title else ''}{title}", loss, what=what, over=("alpha", "beta")),),
            noise,
            other,
        )
        for what, title in whats.items()
    )


def _amse(label: str, q: str) -> Series:
    """JAL's runs of AMSE: with its L1 penalty, where there are others too."""
    return Series(label, "amse", {"q": q}, over=("a",), prefer="l1")


SPECS: tuple[Spec, ...] = (
    Spec(
        "apl-fig1", "Losses and their normalised forms", "APL Fig. 1", _PAIRS_SHOW, _pairs(), papers=("cifar100",), least=1.6,
        claims=(
            *_NORMALISED,
            Statement("NCE and NFL do worse than CE and FL", above(("CE", "FL"), ("NCE", "NFL"))),
            Statement("MAE and RCE fail to converge", fails(("MAE", "RCE"), beside="CE")),
        ),
    ),
    Spec(
        "apl-fig2", "Losses and their normalised forms", "APL Fig. 2", _PAIRS_SHOW, _pairs(), least=1.6, claims=_NORMALISED,
    ),
    Spec(
        "apl-fig3", "Scaled losses", "APL Fig. 3",
        "Test accuracy over epochs of a loss times a factor, which acts like a larger learning rate.",
        tuple(Panel(name, (Series(name, name.lower(), over=(SCALE,)),), SYM_6) for name in ("NCE", "NFL", "MAE", "RCE")),
        papers=("cifar100",), least=1.6,
        claims=(
            Statement("factors improve NCE", gains("NCE")),
            Statement("factors improve NFL", gains("NFL")),
            Statement("no factor helps MAE", gains_nothing("MAE")),
            Statement("no factor helps RCE", gains_nothing("RCE")),
        ),
    ),
    Spec(
        "apl-fig4", "Active with passive losses, and two of a kind", "APL Fig. 4",
        "Test accuracy over epochs of sums of an active and a passive loss, of two active (NFL+NCE) and of two passive ones "
        "(MAE+RCE), with weights 1 and 1.",
        _joint(), papers=("cifar10", "cifar100"),
        claims=(
            Statement("all four active-passive losses end above NFL+NCE", above(APL_LOSSES, ("NFL+NCE",))),
            Statement("all four active-passive losses end above MAE+RCE", above(APL_LOSSES, ("MAE+RCE",))),
        ),
    ),
    Spec(
        "apl-fig5", r"NCE+RCE over its weights", "APL Fig. 5",
        "Accuracy (%) at the last epoch for weights alpha of NCE and beta of RCE.",
        _weights("NCE+RCE", "nce+rce", {"test": ""}, SYM_6, {}), kind="maps", papers=("cifar10", "cifar100"),
        claims=(
            Statement(
                "no weights are better than those chosen, (1, 1), on CIFAR-100 (10, 0.1)",
                best_at("NCE+RCE", {"cifar10": ("1", "1"), "cifar100": ("10", "0.1")}),
            ),
        ),
        note="The paper measures on a fifth of the training set that it held out; here it is the test set, so the best cell is no "
        "estimate of accuracy.",
    ),
    Spec(
        "alf-fig3", "Asymmetric losses below and above the threshold", "ALF Fig. 3",
        "Test accuracy over epochs for values of a, with c r in brackets: c is the clean level of the noise, r the asymmetry "
        "ratio. Dashed: c r < 1, the loss is not asymmetric on this noise. The thresholds in the titles are the core's.",
        _over_a(),
        claims=(
            Statement("AGCE with q = 1/2 below its threshold overfits", falls_below_threshold(AGCE)),
            Statement("AGCE with q = 1/2 overfits less as a grows", steadier(AGCE)),
            Statement("AUL with p = 2 overfits less as a grows", steadier(AUL)),
            Statement("AEL overfits less as a grows", steadier("AEL")),
            Statement("AGCE with q = 3/2 and AUL with p = 1/2 never overfit", stays("AGCE, $q = 3/2$", "AUL, $p = 1/2$")),
        ),
    ),
    Spec(
        "anl-fig2", "What is learned of the training and of the test set", "ANL Fig. 2",
        "Accuracy over epochs on the clean part of the training set, on the test set, and the share of the corrupted part that is "
        "given its wrong label (memorised): low is good.",
        _fits(), papers=("cifar10", "cifar100"), least=1.3,
        claims=(
            Statement("CE overfits", falls("CE")),
            Statement("MAE and NCE+RCE do not overfit", stays("MAE", "NCE+RCE")),
            Statement("ANL-CE with L2 overfits", falls("ANL-CE, L2")),
            Statement("ANL-CE with L1 ends highest", above(("ANL-CE, L1",), ("CE", "MAE", "NCE+RCE", "ANL-CE, L2"))),
        ),
    ),
    Spec(
        "anl-fig3", "ANL-CE with different penalties", "ANL Fig. 3",
        "Test accuracy of ANL-CE over the strength of L1, L2 and Jacobian penalties: last epoch (points) and best epoch (dotted); "
        "the level is training without a penalty. The paper draws the same runs as curves over epochs.",
        (
            Panel(
                "",
                (
                    *_norms("anl-ce", ANL_CE, ANL_CE_100),
                    Series("no penalty", "anl-ce", ANL_CE, penalty="none", look="mae", elsewhere=ANL_CE_100),
                ),
                SYM_8, ON_CIFAR100,
            ),
        ),
        kind="strengths",
        claims=(
            Statement("L1 is the most efficient of the three penalties", best_above("L1", ("L2", "Jacobian"))),
            Statement("L1 mitigates the overfitting", milder("L1", "no penalty")),
        ),
    ),
    Spec(
        "anl-fig5", "NCE+NNCE over its weights", "ANL Fig. 5",
        "Percent at the last epoch for weights alpha of NCE and beta of NNCE: test accuracy, accuracy on the clean part of the "
        "training set, and share of the corrupted part that is given its wrong label. The paper draws curves over epochs.",
        _weights(
            "NCE+NNCE", "anl-ce", {"test": "test", "clean": "training, clean", "memorised": "corrupted, memorised"}, SYM_8,
            ON_CIFAR100,
        ),
        kind="maps",
        claims=(Statement("for every alpha the test accuracy grows with beta", grows("NCE+NNCE, test")),),
    ),
    Spec(
        "anl-fig6", "NCE+RCE with different penalties, and ANL-CE", "ANL Fig. 6",
        "Test accuracy of NCE+RCE over the strength of L1, L2 and Jacobian penalties: last epoch (points) and best epoch (dotted); "
        "the level is ANL-CE with its L1 penalty.",
        (
            Panel(
                "",
                (
                    *_norms("nce+rce", {}, NCE_RCE_100),
                    Series("ANL-CE", "anl-ce", ANL_CE, penalty="l1", look="anl", elsewhere=ANL_CE_100),
                ),
                SYM_8, ON_CIFAR100,
            ),
        ),
        kind="strengths",
        claims=(Statement("NCE+RCE ends below ANL-CE whatever the penalty", above(("ANL-CE",), ("L1", "L2", "Jacobian"))),),
    ),
    Spec(
        "anl-fig7", r"ANL-CE for values of $p_{\min}$", "ANL Fig. 7",
        "Test accuracy over epochs of ANL-CE for values of the least probability p_min, which sets the constant A of NNCE.",
        (Panel("", (Series("ANL-CE", "anl-ce", ANL_CE, over=("p_min",), elsewhere=ANL_CE_100),), SYM_6),),
        papers=("cifar10", "cifar100"),
        claims=(Statement("p_min makes no significant difference", even("ANL-CE")),),
    ),
    Spec(
        "jal-fig2", "AMSE and NNCE", "JAL Fig. 2",
        "Test accuracy over epochs of AMSE with q = 2 for values of a, and of NNCE (a number before it is its weight).",
        tuple(
            Panel(title, (_amse("AMSE", "2"), Series("NNCE", "nnce", over=(SCALE,), prefer="l1")), noise)
            for title, noise in (("symmetric 0.8", SYM_8), ("class-dependent 0.4", ASYM_4))
        ),
        claims=(
            Statement(
                "under symmetric noise a = 20, 30 and 40 are more robust than a = 10",
                above([f"AMSE, $a = {a}$" for a in (20, 30, 40)], ("AMSE, $a = 10$",), "symmetric"),
            ),
            Statement("AMSE does better than NNCE", above([f"AMSE, $a = {a}$" for a in (10, 20, 30, 40)], ("NNCE",))),
        ),
    ),
    Spec(
        "jal-fig4", "AMSE over $q$ and $a$", "JAL Fig. 4",
        "Test accuracy over epochs of AMSE for values of a. Dashed: not asymmetric on this noise. The thresholds in the titles are "
        "the core's.",
        tuple(Panel(f"$q = {q}$", (_amse(f"q = {q}", q),), SYM_8, theory=True) for q in "123"),
        claims=(
            Statement("with q = 1 the value of a makes no difference", even("q = 1")),
            Statement("with q = 2 a larger a is more robust", rises("q = 2")),
        ),
    ),
)  # fmt: skip


def data(name: str, results: str = FOLDER, dataset: str | None = None) -> list[Shown]:
    """What the figure of that name shows: panels with their lines, from the runs in ``results``."""
    spec = next(spec for spec in SPECS if spec.name == name)
    try:
        found = load(results)
    except NothingMeasured as error:
        raise NothingMeasured(f"{error}; `asymtheory sweep {name}` makes the runs") from None
    return gather(spec.panels, found, papers=spec.papers, dataset=dataset, plan=spec.name)


def caption(spec: Spec, shown: list[Shown]) -> str:
    """What only the runs can say: where they were made, what is missing, and which printed statements they show too."""
    return f"{measured(shown, spec.panels, spec.kind)} {judged(spec.claims, shown)}".rstrip()


def _draw(spec: Spec, width: float, results: str, dataset: str | None) -> Figure:
    shown = data(spec.name, results, dataset)
    drawn = DRAW[spec.kind](shown, width, spec.least)
    places = list(dict.fromkeys(panel.where for panel in shown))
    noises = list(dict.fromkeys(panel.noise for panel in shown))
    parts = [noise_words(noises[0])] * (len(noises) == 1) + [places[0].heading] * (len(places) == 1)
    parts.append(seeds([line for panel in shown for line in panel.lines]))
    style.title(drawn, f"{spec.title}: {'; '.join(parts)}")
    remark(drawn, caption(spec, shown))
    return drawn


def _register(spec: Spec) -> None:
    def make(*, width: float = 6.75, results: str = FOLDER, dataset: str | None = None) -> Figure:
        return _draw(spec, width, results, dataset)

    make.__doc__ = spec.shows
    figure(spec.name, spec.title, spec.source, note=spec.note)(make)


for _spec in SPECS:
    _register(_spec)
