"""Where an inequality in one parameter holds: its sign changes isolated by interval arithmetic."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from fractions import Fraction
from functools import cache
from heapq import heapify, heappop, heappush
from itertools import count, pairwise

from ..numbers.backends import DUAL, FLOAT, INTERVAL, Backend, arb_
from ..numbers.interval import Interval
from ..numbers.jet import Jet
from ..numbers.scalar import Scalar

SMALLEST, LARGEST = 2.0**-60, 2.0**60

BUDGET = 2500  # boxes

PLAIN = 12  # boxes after which leading terms are taken out
FAILURES = 40  # boxes in turn after which they are not

AT_ONCE = 80  # boxes after which those that are left are halved all at once, as arrays
HALVINGS, MOST_AT_ONCE = 12, 4096  # how often, and of how many boxes at once at most

SAMPLES = 32  # signs taken where the budget ends

SLIVER = 1e-12

NARROW = 2.0**-36  # relative width of an enclosure that needs no more than floats

WIDE = 16.0  # ratio of the ends of a box

WIDTH = 2.0**-46  # relative width at which a sign change counts as isolated
NEAR_ZERO = 2.0**-1070  # absolute width at which it does next to 0, where no relative width is reached

OVERFLOW = 1e300

BITS = 200  # of Arb, where floats do not do

Inequality = Callable[[Scalar, Scalar], Scalar]

SignAt = Callable[[float], int | None]

Estimate = Callable[[float], float]

Ends = tuple[int | None, int | None]

Segment = tuple[int | None, float, float]  # sign (None: changes or unknown), low, high


def segments(
    inequality: Inequality, start: float, stop: float, assumed: list[tuple[float, float]] | None = None
) -> list[Segment]:
    """[start, stop] in order: segments of certified sign, between them narrow ones that hold the sign changes.

    Where a sign is lost to rounding in a sliver (next to an open end, where the inequality tends to 0, or between two
    segments of the same sign), or where floats overflow, the neighbours' sign is taken; where the budget ends, that of samples, if
    they agree. To ``assumed`` such places are added.
    """
    places: list[tuple[float, float]] = [] if assumed is None else assumed
    found = _merged(_signs(inequality, start, stop, places))
    for i, (sign, low, high) in enumerate(found):
        around = {found[k][0] for k in (i - 1, i + 1) if 0 <= k < len(found)}
        if sign is None and len(around) == 1 and None not in around and high - low <= SLIVER * max(abs(low), abs(high)):
            found[i] = (around.pop(), low, high)
            places.append((low, high))
    for end, neighbour, x in ((0, 1, start), (-1, -2, stop)):
        if len(found) > 1 and found[end][0] is None and _overflows(_at(inequality, x)):
            found[end] = (found[neighbour][0], *found[end][1:])
            places.append(found[end][1:])
    return _merged(found)


def _merged(segments: Iterable[Segment]) -> list[Segment]:
    result: list[Segment] = []
    for sign, low, high in segments:
        if result and result[-1][0] == sign:
            result[-1] = (sign, result[-1][1], high)
        else:
            result.append((sign, low, high))
    return result


def _estimated_by(inequality: Inequality) -> Estimate:
    """An inequality in floats, NaN where it has no value."""

    def estimate(x: float) -> float:
        try:
            return float(inequality(x, FLOAT))
        except ArithmeticError:
            return math.nan

    return estimate


def _signs(inequality: Inequality, start: float, stop: float, assumed: list[tuple[float, float]]) -> list[Segment]:
    """Boxes in order with their certified sign; None where a box is no wider than WIDTH (relative) and undecided.

    A box is settled by an enclosure of the inequality over it, or by a derivative of one sign and the signs at its ends
    (then it holds at most one change, which bisection isolates); else it is split, the widest first, or all at once where
    there are many. What the budget leaves unsettled (a threshold that falls on an open end of the domain) gets the certified
    signs at sampled points.
    """

    rough = cache(lambda x: _at(inequality, x).sign)  # in floats: next to a root it is lost, which bisection can bear
    point = cache(lambda x: rough(x) or sign_at(inequality, x))
    estimate, factored = _estimated_by(inequality), Factored(inequality)
    settled: list[Segment] = []
    left: list[Segment] = []
    queue = [(-1.0, start, stop)]
    for spent in count():  # each division costs one of BUDGET; after that boxes only leave the queue
        if not queue:
            break
        _, low, high = heappop(queue)
        if spent >= BUDGET:
            left.append((None, low, high))
            continue
        if spent == AT_ONCE:
            known, rest = _at_once(inequality, [(low, high), *(box[1:] for box in queue)])
            settled += known
            queue = [(-(high - low) / max(abs(low), abs(high)), low, high) for _, low, high in rest]
            heapify(queue)
            continue
        value, slope = Interval.of(inequality(Interval(low, high), INTERVAL)), None
        sign = value.sign or (factored.sign(low, high) if spent > PLAIN else None)
        wide = 0 < low and high > WIDE * low
        # a slope has a sign on the whole range or on narrow boxes; in between it costs more than it settles
        if not sign and (not spent or low <= 0 or high <= 4 * low):
            slope = getattr(inequality(Jet(INTERVAL, Interval(low, high), Interval(1.0, 1.0)), DUAL), "slope", None)
        middle = _between(low, high)
        if spent > AT_ONCE and slope is not None and not slope.sign and low < middle < high:
            sign = (_at(inequality, middle) + slope * (Interval(low, high) - middle)).sign  # mean value form
        ends = (point(low), point(high)) if slope is not None and slope.sign and not sign else (None, None)
        if sign:
            settled.append((sign, low, high))
        elif None not in ends:
            settled += [(ends[0], low, high)] if ends[0] == ends[1] else _bisected(rough, estimate, low, high, ends)
        elif high - low <= WIDTH * max(abs(low), abs(high)) or not low < middle < high:
            settled.append((None, low, high))
        elif _overflows(value) and _overflows(at := _at(inequality, low)) and at.low < at.high:  # not an infinite slope
            left.append((None, low, high))
        else:
            for part in pairwise(_geometric(low, high) if wide else (low, middle, high)):
                heappush(queue, (-(part[1] - part[0]) / max(abs(part[0]), abs(part[1])), *part))
    for _, low, high in _joined(left):
        sampled = _sampled(point, estimate, low, high)
        settled += sampled
        if any(sign is not None for sign, _, _ in sampled):
            assumed.append((low, high))
    return sorted(settled, key=lambda segment: segment[1])


def _at_once(inequality: Inequality, boxes: list[tuple[float, float]]) -> tuple[list[Segment], list[Segment]]:
    """What enclosures settle where all boxes are halved at once, again and again, as arrays; and what is left."""
    import numpy as np  # late: few inequalities have need of it

    from ..numbers.spans import Span, spans

    low, high = np.array(boxes).T
    settled: list[Segment] = []
    for _ in range(HALVINGS):
        try:
            with np.errstate(all="ignore"):
                value = Span.of(inequality(Span(low, high), spans()))
        except (ArithmeticError, TypeError, ValueError):
            break
        sign = np.broadcast_to(np.where(value.low > 0, 1, np.where(value.high < 0, -1, 0)), low.shape)
        settled += [segment for segment in zip(sign.tolist(), low.tolist(), high.tolist(), strict=True) if segment[0]]
        low, high = low[sign == 0], high[sign == 0]
        if not 0 < len(low) <= MOST_AT_ONCE:
            break
        middle = np.where((low > 0) & (high > 4 * low), np.sqrt(np.abs(low)) * np.sqrt(np.abs(high)), (low + high) / 2)
        low, high = np.concatenate([low, middle]), np.concatenate([middle, high])
    return settled, _joined([(None, a, b) for a, b in zip(low.tolist(), high.tolist(), strict=True)])


class Factored:
    """The sign of an inequality over boxes with its leading term taken out: a power of the parameter, or an exponential in it."""

    def __init__(self, inequality: Inequality) -> None:
        self.inequality, self.exponential, self.failed = inequality, True, 0

    def sign(self, low: float, high: float) -> int | None:
        """The sign on [low, high], None where it is not certain or no leading term is found."""
        if low <= 0 or self.failed > FAILURES:
            return None
        from ..numbers.exponentials import NoSum, sign_between  # late: most inequalities have no need of it

        if self.exponential:
            try:
                return sign_between(self.inequality, low, high)
            except NoSum:
                self.exponential = False
        sign = self._by_power(low, high) if low >= 4 else None
        self.failed = 0 if sign else self.failed + (low >= 4)
        return sign

    def _by_power(self, low: float, high: float) -> int | None:
        from ..numbers.germ import FLOATS, germs_between

        xp = germs_between(math.log2(low) * (1 - SLIVER), math.log2(high) * (1 + SLIVER), FLOATS)
        try:
            sign: int | None = xp.number(self.inequality(xp.near(Fraction(0), 1).reciprocal(), xp)).sign
        except (ArithmeticError, TypeError, ValueError):
            return None
        return sign or None


def _joined(boxes: list[Segment]) -> list[Segment]:
    """Boxes that touch, as one."""
    result: list[Segment] = []
    for _, low, high in sorted(boxes, key=lambda box: box[1]):
        if result and result[-1][2] == low:
            result[-1] = (None, result[-1][1], high)
        else:
            result.append((None, low, high))
    return result


def _between(low: float, high: float) -> float:
    return math.sqrt(low) * math.sqrt(high) if 0 < low and high > 4 * low else (low + high) / 2


def _geometric(low: float, high: float) -> list[float]:
    """low, ..., high in equal steps of at most WIDE."""
    start, width = math.log(low), math.log(high) - math.log(low)  # the ratio itself may be beyond the floats
    steps = max(2, math.ceil(width / math.log(WIDE)))  # a ratio a little above WIDE must be divided, too
    return [low, *(math.exp(start + width * k / steps) for k in range(1, steps)), high]


def _sampled(point: SignAt, estimate: Estimate, low: float, high: float) -> list[Segment]:
    """The box by its sampled signs (lost ones aside, if they are few): one segment where they agree, two around one change."""
    steps = [k / SAMPLES for k in range(1, SAMPLES)]
    inner = [low + (high - low) * t if low <= 0 or high <= 4 * low else _power_mean(low, high, t) for t in steps]
    signs = [sign for sign in map(point, (low, *inner, high)) if sign is not None]
    if 2 * len(signs) < SAMPLES:
        return [(None, low, high)]
    if point(low) and point(high) and sum(a != b for a, b in pairwise(signs)) == 1:
        return _bisected(point, estimate, low, high, (point(low), point(high)))
    return [(signs[0] if len(set(signs)) == 1 else None, low, high)]


def _power_mean(low: float, high: float, t: float) -> float:
    return math.exp((1 - t) * math.log(low) + t * math.log(high))


def _overflows(result: Interval) -> bool:
    return result.low <= -OVERFLOW or result.high >= OVERFLOW


def _bisected(point: SignAt, estimate: Estimate, low: float, high: float, ends: Ends) -> list[Segment]:
    """A monotone inequality on [low, high] with different signs at its ends, split at its one sign change.

    Floats find the change many times as fast; then the certified signs next to it are all that is needed.
    """
    guess, (left, right) = _estimated(estimate, low, high, ends[0] or 0), (low, high)
    for width in (2.0**-48, 2.0**-45, 2.0**-42, 2.0**-20):
        aside = guess - width * abs(guess), guess + width * abs(guess)
        left = aside[0] if left < aside[0] and point(aside[0]) == ends[0] else left
        right = aside[1] if aside[1] < right and point(aside[1]) == ends[1] else right
    while right - left > max(WIDTH * max(abs(left), abs(right)), NEAR_ZERO):  # to a quarter at worst each time, or ends
        # a sign is lost only next to the root: then points aside of it still narrow the box
        tries = (_between(left, right), left + 0.25 * (right - left), left + 0.75 * (right - left))
        middle = next((x for x in tries if left < x < right and point(x) is not None), None)
        if middle is None:
            break
        left, right = (middle, right) if point(middle) == ends[0] else (left, middle)
    return [(ends[0], low, left), (None, left, right), (ends[1], right, high)]


def _estimated(estimate: Estimate, low: float, high: float, first: int) -> float:
    """Where floats change sign, from ``first`` at low: false position (Illinois), with a bisection every third step."""
    ends, values, last = [low, high], [estimate(low), estimate(high)], None
    for step in count():  # every third step halves, until floats lie between no more
        low, high = ends
        guess = _between(low, high)
        if not low < guess < high or high - low <= max(2.0**-51 * max(abs(low), abs(high)), NEAR_ZERO):
            break
        if step % 3 and values[0] * values[1] < 0:
            between = low + (high - low) * (values[0] / (values[0] - values[1]))
            guess = between if low < between < high else guess
        value = estimate(guess)
        if value == 0:
            break
        side = 0 if value * first > 0 else 1
        if side == last:
            values[1 - side] *= 0.5
        ends[side], values[side], last = guess, value, side
    return guess


def _at(inequality: Inequality, x: float) -> Interval:
    return Interval.of(inequality(Interval(x, x), INTERVAL))


def sign_at(inequality: Inequality, x: float) -> int | None:
    sign = _at(inequality, x).sign
    return sign_in_balls(inequality, x) if sign is None else sign


def sign_in_balls(inequality: Inequality, x: float) -> int | None:
    """The sign at x in Arb, where floats overflow or cancel; None at a root and where Arb has no value either."""
    from flint import ctx

    xp = arb_()
    with ctx.workprec(BITS):
        value = xp.number(inequality(xp.number(Fraction(x)), xp))
        return 1 if value > 0 else -1 if value < 0 else None


def refined(inequality: Inequality, low: float, high: float) -> tuple[float, float]:
    """An enclosure that floats leave wide (they cancel where two weights are nearly equal), bisected in Arb."""
    if high - low <= NARROW * max(abs(low), abs(high)):
        return low, high
    first, last = sign_in_balls(inequality, low), sign_in_balls(inequality, high)
    # halved each time, or ends where a sign is lost
    while first and last and first != last and high - low > max(WIDTH * max(abs(low), abs(high)), NEAR_ZERO):
        middle = _between(low, high)
        here = sign_in_balls(inequality, middle) if low < middle < high else None
        if here is None:
            break
        low, high = (middle, high) if here == first else (low, middle)
    return low, high


def run(inequality: Inequality, value: Scalar, xp: Backend) -> Scalar:
    try:
        return xp.number(inequality(value, xp))
    except (TypeError, ValueError, ZeroDivisionError):
        return None
