"""A verdict as a Coq file that states it on these numbers and proves it from proofs/.

A "yes" rests on the KKT slack (or on concavity), a "no" on a better point near the exact minimiser; either leaves one
inequality between numbers, which Coq's ``interval`` settles, or an equality of powers, which is rewritten in whole powers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from importlib.metadata import version
from typing import Any

from flint import arb, ctx

from ..asymmetry.binding import distinct_rows
from ..asymmetry.condition import check
from ..asymmetry.risk import minimise
from ..asymmetry.rules import decide
from ..losses.base import Loss
from ..losses.profile import Profile
from ..noise.models import from_weights
from ..noise.rows import NoiseModel, Row
from ..numbers.backends import FLOAT, arb_
from ..numbers.exact import simplest
from ..threshold.pieces import RATE, End, Threshold
from .terms import LRA, NoCertificate, Power, Term, normalised_base, rational, real, term, unbounded_base

BITS = 400  # of Arb, for how much a point gains
LARGEST_POWER = 64  # of a whole power in the proof of an equality
CLOSEST = Fraction(1, 10**6)  # relative distance of the two values next to a threshold

HEADER = """(* {title}

   Written by asymtheory {version}. To check it, with Coq 8.16, Coquelicot and Interval and the folder proofs/ of asymtheory:
     make -C proofs && coqc -Q proofs Asymtheory THIS_FILE.v
   "Print Assumptions NAME." after a theorem shows what it rests on: see docs/proofs.md. *)

From Coq Require Import List Lra Lia.
From Asymtheory Require Import Certificate.
Import ListNotations.
Open Scope R_scope.
"""


def certificate(loss: Loss, noise: NoiseModel | Any) -> str:
    """The Coq file of ``check(loss, noise)``: one theorem for each row that differs, or for the row that fails.

    Raises NoCertificate where the verdict is undecided, rests on a search, or is about a form of loss that the development
    does not treat.
    """
    model = noise if isinstance(noise, NoiseModel) else from_weights(noise)
    title, blocks = _verdict(loss, model, "verdict")
    return coq_file(title, blocks)


def threshold_certificate(threshold: Threshold) -> str:
    """The Coq file of a threshold: the loss is asymmetric just on one side of it and not on the other.

    Both values are rational and within a millionth of it. Raises NoCertificate where there is no such end.
    """
    if threshold.parameter is None or threshold.parameter == RATE:
        raise NoCertificate("a threshold in a parameter of the loss is needed, not in the noise")
    ends = [
        (end, side)
        for piece in threshold.pieces
        for end, side in ((piece.low, 1), (piece.high, -1))
        if end is not None and not end.of_domain
    ]
    if threshold.status != "threshold" or not ends:
        raise NoCertificate(f"the answer is {threshold.answer!r}: it has no threshold to be certified")
    titles, blocks = [], []
    for number, (end, side) in enumerate(ends, 1):
        suffix = f"_{number}" if len(ends) > 1 else ""
        for name, value in (("feasible", _next_to(end, side)), ("infeasible", _next_to(end, -side))):
            loss = threshold.loss.replace(**{threshold.parameter: value})
            wanted = name == "feasible"
            if check(loss, threshold.noise).asymmetric is not wanted:
                raise NoCertificate(f"{loss} is not {name}: the threshold {end} has no {name} rational next to it")
            title, part = _verdict(loss, threshold.noise, name + suffix)
            titles.append(title)
            blocks += part
    return coq_file("\n   ".join([f"Threshold: {threshold.answer}.", *titles]), blocks)


def _next_to(end: End, side: int) -> Fraction:
    """The simplest rational within a millionth of an end, on the side of larger (1) or smaller (-1) values."""
    low, high = (end.number, end.number) if end.number is not None else (Fraction(end.low), Fraction(end.high))
    width = CLOSEST * max(abs(low), abs(high)) or CLOSEST
    return simplest(high + width / 4, high + width) if side > 0 else simplest(low - width, low - width / 4)


def coq_file(title: str, blocks: Sequence[str]) -> str:
    """Theorems with their header; the title is a comment."""
    safe = title.replace("*)", "* )").replace("(*", "( *").replace('"', "'")
    return "\n".join([HEADER.format(title=safe, version=version("asymtheory")), *blocks])


def theorem(loss: Loss, row: Row, name: str) -> str:
    """The verdict on one row of weights as Coq text: a theorem of that name, with its proof. Raises NoCertificate."""
    return "\n".join(_Theorem(loss, row, name).text())


def _verdict(loss: Loss, model: NoiseModel, name: str) -> tuple[str, list[str]]:
    """What ``check`` answers, in words and as Coq text, one block a theorem."""
    answer = check(loss, model)
    if answer.asymmetric is None:
        raise NoCertificate(f"the verdict on {loss} is undecided")
    rows = distinct_rows(model) if answer.asymmetric else [(answer.row, model.rows[answer.row])]
    words = "asymmetric" if answer.asymmetric else "not asymmetric"
    title = f"{loss} is {words} on {model.kind}, {model.classes} classes."
    if len(rows) > 1:
        title += " Rows that differ only in the order or the scale of their weights are stated once."
    blocks = []
    for number, row in rows:
        suffix = f"_{number}" if len(rows) > 1 else ""
        blocks.append(theorem(loss, row, name + suffix))
    return title, blocks


# ------------------------------------------------------------------------------------------------------ one theorem


@dataclass(frozen=True)
class _Parts:
    """The separable part of a loss in Coq: active and passive as functions, and what is known of them."""

    active: str
    passive: str
    convex: str | None
    concave: str | None
    strict: str | None
    powers: tuple[Power, ...]
    named: str | None


class _Theorem:
    """The verdict on one loss and one row of weights."""

    def __init__(self, loss: Loss, row: Row, name: str) -> None:
        self.loss, self.row, self.name = loss, row, name
        self.K, self.m, self.n = len(row.weights), row.target, row.runner_up
        self.weights = [Fraction(w) for w in row.weights]
        self.W, self.wm, self.wn = sum(self.weights, Fraction(0)), self.weights[self.m], self.weights[self.n]
        self.profile = Profile.of(loss, self.K)
        self.decision = decide(loss, row)
        if not row.dominant:
            raise NoCertificate(
                "the clean label does not have the unique largest weight: the definition does not apply"
            )
        if self.decision.holds is None or self.decision.rule.searched:
            raise NoCertificate("no certificate of this kind exists: the verdict rests on a search")

    def text(self) -> Iterator[str]:
        """The block: the weights, what is checked of them by computation, the loss and the theorem."""
        ws = "; ".join(map(rational, self.weights))
        yield f"Definition ws_{self.name} : list Q := [{ws}]%Q."
        yield f"Lemma row_{self.name} : row_ok ws_{self.name} {self.m} {self.n} {self._totals} = true."
        yield "Proof. vm_compute. reflexivity. Qed."
        yield from self._by_form()
        yield ""

    @property
    def _totals(self) -> str:
        return " ".join(f"({rational(x)})" for x in (self.W, self.wm, self.wn))

    @property
    def _facts(self) -> str:
        """The arguments that every theorem of a row begins with."""
        return f"ws_{self.name} {self.m} {self.n} {self._totals} row_{self.name}"

    def _by_form(self) -> Iterator[str]:
        profile = self.profile
        unbounded = [(c, atom) for c, atom in profile.separable if unbounded_base(atom) is not None]
        if profile.clipped:
            raise NoCertificate("the Coq development does not treat clipped logits")
        if profile.negative:
            yield from self._negative()
        elif unbounded:
            yield from self._unbounded(unbounded)
        elif profile.normalised:
            yield from self._normalised()
        elif self.decision.holds:
            yield from self._yes()
        else:
            yield from self._no()

    # -------------------------------------------------------------------------------------------- separable losses

    def _parts(self, terms: Any) -> _Parts:
        """The weighted sum of separable losses, term by term."""
        pieces = [(Fraction(c), term(atom)) for c, atom in terms]
        if not pieces:
            raise NoCertificate("the Coq development does not treat this sum")
        (first, head), *rest = pieces
        sum_ = head if first == 1 else _multiple(first, head)
        for c, piece in rest:
            sum_ = _plus(sum_, c, piece)
        named = None
        if len(pieces) == 1 and head.named is not None:
            scaled = head.named.startswith("amse")  # its own 1/K is in the definition
            if first == (Fraction(1, self.K) if scaled else 1):
                named = head.named.format(K=self.K)
                sum_ = head
        return _Parts(
            sum_.active, sum_.passive, sum_.convex, sum_.concave, sum_.strict,
            tuple(power for _, piece in pieces for power in piece.powers), named,
        )  # fmt: skip

    def _statement(self, parts: _Parts) -> tuple[str, list[str]]:
        """The property, and the first lines of its proof, which bring a named loss to its separable form."""
        loss = parts.named or f"separable {self.K} ({parts.active}) ({parts.passive})"
        claim = f"asymmetric {self.K} ({loss}) (row ws_{self.name}) {self.m}"
        if parts.named is None:
            return claim, []
        if parts.named.startswith("amse"):
            a, q = parts.active.split()[1:] if parts.active.count("(") == 0 else _arguments(parts.active)
            return claim, [f"  rewrite (amse_verdict {self._facts.rsplit(' ', 1)[0]} {a} {q} row_{self.name} {LRA})."]
        return claim, ["  rewrite active_verdict."]

    def _yes(self) -> Iterator[str]:
        parts = self._parts(self.profile.separable)
        claim, opening = self._statement(parts)
        yield f"Theorem {self.name} : {claim}."
        yield "Proof."
        yield from opening
        if parts.concave is not None:
            yield f"  exact (yes_concave {self._facts} _ _ {parts.concave})."
        elif parts.convex is not None:
            yield f"  apply (yes_convex {self._facts} _ _ _ _ _ _ {parts.convex})."
            yield from self._slack(parts)
        else:
            raise NoCertificate(f"the Coq development has no proof for the shape of {self.loss}")
        yield "Qed."

    def _slack(self, parts: _Parts) -> Iterator[str]:
        """The proof that the slack is positive, or that it is 0 and the loss strictly convex next to 1."""
        if self.decision.gap != 0:
            yield f"  left. certify {self._precision()}%positive."
            return
        if parts.strict is None:
            raise NoCertificate("the slack is 0 and the Coq development has no proof that the loss is strictly convex")
        yield f"  right. split; [| exact {parts.strict}]."
        yield from _equality(parts.powers)

    def _precision(self) -> int:
        """Bits for a slack that is what is left after cancellation."""
        slopes = self.profile.slopes(FLOAT)
        size = max(abs(float(x)) for x in (slopes.active0, slopes.active1, slopes.passive0, slopes.passive1))
        gap = abs(self.decision.gap) if self.decision.gap else 1.0
        lost = math.log2(size / gap) if math.isfinite(size) and size > 0 else 0.0
        return 60 + max(0, math.ceil(lost))

    def _no(self) -> Iterator[str]:
        parts = self._parts(self.profile.separable)
        claim, opening = self._statement(parts)
        point, bits = self._better_point()
        us = "; ".join(map(rational, point))
        yield f"Definition better_{self.name} : list Q := [{us}]%Q."
        yield f"Theorem {self.name} : ~ {claim}."
        yield "Proof."
        yield from opening
        yield f"  apply (no_better ws_{self.name} better_{self.name} {self.m} ({rational(self.W)}) ({rational(self.wm)}));"
        yield "    try (vm_compute; reflexivity)."
        yield f"  unfold ws_{self.name}, better_{self.name}. certify {bits}%positive."
        yield "Qed."

    def _better_point(self) -> tuple[list[Fraction], int]:
        """A rational point of less risk than e_m, as simple as the gain allows, and the bits that show it."""
        for point in self._candidates():
            with ctx.workprec(BITS):
                gain, size = self._gain(point)
                if gain > 0:
                    return point, 60 + max(0, math.ceil(float((size / gain).log() / arb(2).log())))
        raise NoCertificate("no rational point near the minimiser has a gain that Arb can show")

    def _candidates(self) -> Iterator[list[Fraction]]:
        """The exact minimiser, rounded ever more finely; then points of the edge towards the second largest weight."""
        found = minimise(self.loss, [float(w) for w in self.weights]).point.tolist()
        for places in (1, 2, 3, 6, 9, 12, 15):
            rounded = [max(Fraction(0), Fraction(round(x * 10**places), 10**places)) for x in found]
            rounded[self.m] += 1 - sum(rounded)
            if 0 <= rounded[self.m] < 1:
                yield rounded
        for halvings in range(1, 200):
            t = Fraction(1, 2**halvings)
            yield [1 - t if k == self.m else t if k == self.n else Fraction(0) for k in range(self.K)]

    def _gain(self, point: list[Fraction]) -> tuple[Any, Any]:
        """F(e_m) - F(u) in Arb, and the sum of the absolute values of what cancels in it."""
        xp = arb_()

        def phi(weight: Fraction, at: Fraction) -> Any:
            own, other = (self.profile.part(side, xp.number(at), None, xp) for side in ("active", "passive"))
            return xp.number(weight) * own + xp.number(self.W - weight) * other

        gains = [phi(self.wm, Fraction(1)) - phi(self.wm, Fraction(0))]
        gains += [
            phi(w, Fraction(0)) - phi(w, u) for w, u in zip(self.weights, point, strict=True) if u > 0
        ]  # what the classes of the point save
        return sum(gains, start=arb(0)), sum((abs(x) for x in gains), start=arb(0))

    # ------------------------------------------------------------------------------------------ losses in the limit

    def _normalised(self) -> Iterator[str]:
        """NCE or NFL, alone or with a separable loss."""
        if len(self.profile.normalised) > 1:
            raise NoCertificate("the Coq development treats one normalised loss in a sum")
        ((c, atom),) = self.profile.normalised
        base, proof, flat = normalised_base(atom)
        no = "" if self.decision.holds else "~ "
        if not self.profile.separable:
            yield from self._alone(base, proof)
            return
        parts, alpha = self._parts(self.profile.separable), real(Fraction(c))
        loss = f"with_normalised ws_{self.name} {alpha} {base} ({parts.active}) ({parts.passive})"
        risk = f"risk {self.K} (row ws_{self.name}) ({loss})"
        yield f"Theorem {self.name} : {no}asymmetric_in_the_limit {self.K} ({risk}) {self.m}."
        yield "Proof."
        if self.decision.holds and parts.concave is not None:
            yield f"  exact (yes_normalised_concave {self._facts} {alpha} {base} _ _ {proof} {LRA} {parts.concave})."
        elif parts.convex is None:
            raise NoCertificate(f"the Coq development has no proof for the shape of {self.loss}")
        elif self.decision.holds:
            yield f"  apply (yes_normalised_convex {self._facts} {alpha} {base} _ _ _ _ _ _ {proof} {LRA} {parts.convex})."
            yield from self._slack(parts)
        else:
            yield f"  apply (no_normalised_convex {self._facts} {alpha} {base} _ _ _ _ _ _ {proof} {flat} {LRA} {parts.convex})."
            yield f"  certify {self._precision()}%positive."
        yield "Qed."

    def _alone(self, base: str, proof: str) -> Iterator[str]:
        risk = f"risk {self.K} (row ws_{self.name}) (normalised {self.K} {base})"
        if (self.K == 2) != bool(self.decision.holds):
            raise NoCertificate(
                f"the Coq development decides a normalised loss on {self.K} classes the other way round"
            )
        if self.K == 2:
            yield f"Theorem {self.name} : asymmetric_in_the_limit 2 ({risk}) {self.m}."
            yield f"Proof. exact (yes_normalised_two_classes {self._facts} {base} {proof} eq_refl). Qed."
        else:
            yield f"Theorem {self.name} : ~ asymmetric_in_the_limit {self.K} ({risk}) {self.m}."
            yield f"Proof. exact (no_normalised_alone {self._facts} {base} {proof} eq_refl). Qed."

    def _unbounded(self, unbounded: list[tuple[Any, Any]]) -> Iterator[str]:
        """CE or FL, alone or with a separable loss: no minimising sequence tends to the vertex."""
        if self.decision.holds or self.profile.normalised or len(unbounded) > 1 or self.wn == 0:
            raise NoCertificate("the Coq development treats CE and FL where w_n > 0, alone or with a bounded loss")
        ((c, atom),) = unbounded
        found = unbounded_base(atom)
        assert found is not None
        base, proof, _ = found
        rest = [(c, other) for c, other in self.profile.separable if other is not atom]
        if rest:
            parts = self._parts(rest)
            if parts.convex is None and parts.concave is None:
                raise NoCertificate(f"the Coq development has no proof for the shape of {self.loss}")
            shape, proved = ("convex", parts.convex) if parts.convex else ("concave", parts.concave)
            falls, rises = f"({shape}_decreasing {proved})", f"({shape}_increasing {proved})"
            active, passive = f"({parts.active})", f"({parts.passive})"
        else:
            active, passive = "(falling 0)", "(rising 0)"
            linear = f"(linear_convex_parts 0 0 {LRA} {LRA})"
            falls, rises = f"(convex_decreasing {linear})", f"(convex_increasing {linear})"
        alpha = real(Fraction(c))
        risk = f"risk {self.K} (row ws_{self.name}) (with_unbounded ws_{self.name} {alpha} {base} {active} {passive})"
        yield f"Theorem {self.name} : ~ asymmetric_in_the_limit {self.K} ({risk}) {self.m}."
        yield f"Proof. exact (no_unbounded {self._facts} {alpha} {base} _ _ {proof} {LRA} {falls} {rises} eq_refl). Qed."

    def _negative(self) -> Iterator[str]:
        """A normalised negative loss alone: the cut-off vertex is the one minimiser on u_k >= p_min."""
        profile = self.profile
        if profile.separable or profile.normalised or len(profile.negative) > 1 or not self.decision.holds:
            raise NoCertificate("the Coq development treats a normalised negative loss alone only")
        ((_, atom),) = profile.negative
        base, _, _ = normalised_base(atom)
        p = real(Fraction(atom.p_min))
        falls = (
            f"cross_entropy_decreasing {p} x y {LRA}"
            if base == "cross_entropy"
            else f"focal_decreasing_from {p} {base.split(' ', 1)[1][:-1]} x y {LRA} {LRA}"
        )
        risk = f"risk {self.K} (row ws_{self.name}) (normalised_negative {self.K} {p} {base})"
        vertex = f"(cut_off_vertex {self.K} {p} {self.m})"
        yield f"Theorem {self.name} : forall u, cut_off {self.K} {p} u -> ~ same {self.K} u {vertex} -> {risk} {vertex} < {risk} u."
        yield "Proof."
        yield f"  apply (yes_negative {self._facts} {p} {base} {LRA}); [rewrite INR_IZR_INZ; simpl; lra |]."
        yield f"  intros x y. exact ({falls})."
        yield "Qed."


def _arguments(text: str) -> list[str]:
    """The two arguments of ``f a q``, each a number or a bracket."""
    rest, found = text.split(" ", 1)[1], []
    while rest:  # shorter each time
        end = rest.index(")") + 1 if rest.startswith("(") else (rest + " ").index(" ")
        found.append(rest[:end])
        rest = rest[end:].strip()
    return found


def _multiple(c: Fraction, piece: Term) -> Term:
    number = real(c)
    return Term(
        f"fun x => {number} * {piece.active} x",
        f"fun x => {number} * {piece.passive} x",
        convex=piece.convex and f"(convex_multiple _ _ _ _ _ _ {number} {LRA} {piece.convex})",
        concave=piece.concave and f"(concave_multiple _ _ {number} {LRA} {piece.concave})",
        strict=piece.strict and f"(strict_multiple _ {number} {LRA} {piece.strict})",
    )


def _plus(left: Term, c: Fraction, right: Term) -> Term:
    """``1 * left + c * right``."""
    number = real(c)
    convex = concave = strict = None
    if left.convex and right.convex:
        convex = f"(convex_sum _ _ _ _ _ _ _ _ _ _ _ _ 1 {number} {LRA} {LRA} {left.convex} {right.convex})"
        if left.strict:
            strict = f"(strict_left _ _ 1 {number} {LRA} {LRA} {left.strict} (convex_active {right.convex}))"
        elif right.strict:
            strict = f"(strict_right _ _ 1 {number} {LRA} {LRA} (convex_active {left.convex}) {right.strict})"
    if left.concave and right.concave:
        concave = f"(concave_sum _ _ _ _ 1 {number} {LRA} {LRA} {left.concave} {right.concave})"
    active, passive = (f"({f})" if f.startswith("fun") else f for f in (left.active, left.passive))
    return Term(
        f"fun x => 1 * {active} x + {number} * {right.active} x",
        f"fun x => 1 * {passive} x + {number} * {right.passive} x",
        convex,
        concave,
        strict,
    )


# ------------------------------------------------------------------------------------- equality at the threshold


def _equality(powers: tuple[Power, ...]) -> Iterator[str]:
    """The slack is exactly 0: its powers are rational numbers, or rational multiples of one another."""
    exact = [_root(power.base, power.exponent) for power in powers]
    if all(value is not None for value in exact):
        for i, (power, value) in enumerate(zip(powers, exact, strict=True)):
            assert value is not None
            yield from _rational_power(f"E{i}", power, value)
    elif len(powers) == 2 and (ratio := _root(powers[1].base / powers[0].base, powers[0].exponent)) is not None:
        yield from _power_ratio("E0", powers[1], powers[0], ratio)
    else:
        raise NoCertificate(
            "the threshold is met exactly, by powers that are not rational: no certificate of this kind exists"
        )
    rewrites = "".join(f" rewrite E{i}." for i in range(len(powers) if all(v is not None for v in exact) else 1))
    yield f"  unfold number_slack.{rewrites} numbers. lra."


def _whole(exponent: Fraction) -> tuple[int, int]:
    p, d = abs(exponent.numerator), exponent.denominator
    if max(p, d) > LARGEST_POWER:
        raise NoCertificate(f"the threshold is met exactly, with an exponent ({exponent}) too fine for whole powers")
    return p, d


def _root(base: Fraction, exponent: Fraction) -> Fraction | None:
    """``base ** exponent`` where it is rational."""
    p, d = _whole(exponent)
    if base == 0:
        return Fraction(0)
    value = base**p
    roots = [_whole_root(part, d) for part in (value.numerator, value.denominator)]
    if None in roots:
        return None
    root = Fraction(roots[0] or 0, roots[1] or 1)
    return root if exponent > 0 else 1 / root


def _whole_root(x: int, d: int) -> int | None:
    """The whole d-th root of x >= 1, if there is one."""
    root = round(x ** (1 / d)) if x < 2**52 else 1 << (x.bit_length() // d + 1)
    while root**d > x:  # Newton from above: a whole number that falls
        root = ((d - 1) * root + x // root ** (d - 1)) // d
    return next((r for r in (root, root + 1) if r**d == x), None)


def _rational_power(name: str, power: Power, value: Fraction) -> Iterator[str]:
    """``power x s = r`` from ``x^p = r^d``, s = p/d or -p/d."""
    yield f"  assert ({name} : {power.text} = {real(value)})."
    x, s = _operands(power)
    if power.base == 0:
        yield f"  {{ transitivity (power 0 {s}); [f_equal; lra | apply power_0]. }}"
        return
    whole, lemma = _in_whole_powers(power.exponent, "power_rational")
    yield f"  {{ transitivity (power {x} {whole}); [f_equal; simpl; lra |]."
    yield f"    apply {lemma}; [lra | lra | lia | simpl; lra]. }}"


def _power_ratio(name: str, power: Power, other: Power, ratio: Fraction) -> Iterator[str]:
    """``power x s = r * power y s`` from ``x^p = r^d y^p``, s = p/d or -p/d."""
    (x, _), (y, _) = _operands(power), _operands(other)
    whole, lemma = _in_whole_powers(power.exponent, "power_ratio")
    yield f"  assert ({name} : {power.text} = {real(ratio)} * {other.text})."
    yield f"  {{ transitivity (power {x} {whole}); [f_equal; simpl; lra |]."
    yield f"    transitivity ({real(ratio)} * power {y} {whole}); [| f_equal; f_equal; simpl; lra]."
    yield f"    apply {lemma}; [lra | lra | lra | lia | simpl; lra]. }}"


def _in_whole_powers(exponent: Fraction, lemma: str) -> tuple[str, str]:
    """The exponent as the lemma states it, and the lemma for its sign."""
    p, d = _whole(exponent)
    return (f"(INR {p} / INR {d})", lemma) if exponent > 0 else (f"(- (INR {p} / INR {d}))", f"{lemma}_inverse")


def _operands(power: Power) -> tuple[str, str]:
    """Base and exponent of ``power x (q - 1)`` as text."""
    inner = power.text.removeprefix("power ")
    exponent = _last(inner)
    return inner.removesuffix(exponent).strip(), exponent


def _last(text: str) -> str:
    """The last bracket of ``x (q - 1)``, with brackets inside it."""
    depth, i = 0, len(text)
    while i > 0:
        i -= 1
        depth += {")": 1, "(": -1}.get(text[i], 0)
        if depth == 0:
            return text[i:]
    raise AssertionError(text)
