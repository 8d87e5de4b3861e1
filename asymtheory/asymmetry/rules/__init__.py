"""What decides, for each form of loss, whether it is asymmetric on a row of weights; proofs are in docs/theory.md.

``rule(loss, K, uniform_rest)`` makes the object that decides (see ``base.Rule`` for what it answers), one file each:

* ``kkt``: every phi_k convex, the KKT inequality at the vertex e_m;
* ``beside``: convex terms beside a finite normalised one, the other weights equal;
* ``dominance``: every phi_k linear or concave;
* ``cutoff``: normalised negative losses;
* ``never``: NCE and NFL alone, NGCE where the other weights differ;
* ``clip``: cross entropy with clipped logits;
* ``logarithms``: label smoothing and two-sided cross entropies, -sum_k c_k log u_k;
* ``search``: anything else.
"""

from .base import Decision, HalfPlane, Minimum, Rule, endless, felt_by_two, is_pointed, leaves_steeply
from .choose import decide, rule
from .logarithms import by_equality

__all__ = [
    "Decision",
    "HalfPlane",
    "Minimum",
    "Rule",
    "by_equality",
    "decide",
    "endless",
    "felt_by_two",
    "is_pointed",
    "leaves_steeply",
    "rule",
]
