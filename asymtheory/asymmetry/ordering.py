"""Does the minimiser of the weighted risk keep the order of the weights, vertex or not?"""

from __future__ import annotations

from ..losses.base import MIXED
from ..losses.profile import Profile


def keeps_order(profile: Profile) -> bool | None:
    """True where every minimiser's largest entry is the class of the largest weight, on all weights; None where unproved.

    Swapping the entries of two classes changes the risk by ``(w_m - w_k) ((A - P)(u_k) - (A - P)(u_m))``, so a strictly
    decreasing A - P orders the minimiser like the weights (docs/theory.md, section 6). It is proved for separable losses whose
    active and passive parts have one curvature each, which leaves no flat point inside.
    """
    only_separable = profile.separable and not (profile.normalised or profile.negative or profile.clipped)
    return True if only_separable and MIXED not in profile.curvature() else None
