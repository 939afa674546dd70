"""Numbers of a comparison as people read them."""

from __future__ import annotations

from collections.abc import Iterable

from lightning_unlearn.compare.report._cell import Seeds
from lightning_unlearn.compare.report._summary import Paired, Row, Spread
from lightning_unlearn.rendering import NONE

_MOST = 6  # names or seeds in one sentence


def fixed(value: float | None, digits: int, *, signed: bool = False) -> str:
    """A number with so many digits behind the point, and a minus sign that is as wide as a plus.

    Example:
        >>> fixed(-0.004, 2), fixed(-1.25, 1, signed=True), fixed(2.0, 1, signed=True), fixed(None, 1)
        ('0.00', '−1.2', '+2.0', '–')
    """
    if value is None:
        return NONE
    text = f"{abs(value):.{digits}f}"
    zero = float(text) == 0
    return ("−" if value < 0 and not zero else "+" if signed and not zero else "") + text


def deviation(mean: float | None, of: float | None, digits: int = 2, *, signed: bool = False) -> str:
    """A mean and its standard deviation.

    Example:
        >>> deviation(0.84, 0.1), deviation(-2.0, None, 1), deviation(None, None)
        ('0.84 ± 0.10', '−2.0 ± –', '–')
    """
    if mean is None:
        return NONE
    return f"{fixed(mean, digits, signed=signed)} ± {fixed(of, digits)}"


def percent(of: Spread | None) -> str:
    """A share in percent.

    Example:
        >>> percent(Spread(0.9876, 0.0123, 3, None, None, None))
        '98.8 ± 1.2'
    """
    return NONE if of is None else deviation(100 * of.mean, _times_100(of.deviation), 1)


def points(of: Spread | None) -> str:
    """An average gap, in points.

    Example:
        >>> points(Spread(0.9876, None, 1, None, None, None))
        '0.99 ± –'
    """
    return NONE if of is None else deviation(of.mean, of.deviation)


def paired(of: Paired | None) -> str:
    """A difference of average gaps, with its sign.

    Example:
        >>> paired(Paired(-3.21, 0.4, 3, 3))
        '−3.21 ± 0.40'
    """
    return NONE if of is None else deviation(of.mean, of.deviation, signed=True)


def amount(of: Spread | None) -> str:
    """Steps or seconds: whole, or with three digits that matter.

    Example:
        >>> amount(Spread(30.0, 0.0, 3, None, None, None)), amount(Spread(0.8123, 0.034, 3, None, None, None))
        ('30 ± 0', '0.812 ± 0.034')
        >>> amount(Spread(42.61, 1.059, 3, None, None, None)), amount(Spread(1234.5, None, 1, None, None, None))
        ('42.6 ± 1.1', '1234 ± –')
    """
    return NONE if of is None else deviation(of.mean, of.deviation, _digits(of))


def mean_amount(of: Spread | None) -> str:
    """The mean alone, with the digits of `amount`."""
    return NONE if of is None else fixed(of.mean, _digits(of))


def _digits(of: Spread) -> int:
    if of.mean == round(of.mean) and not of.deviation:
        return 0
    return next((digits for digits, least in enumerate((100, 10, 1)) if of.mean >= least), 3)


def reached(row: Row) -> str:
    """How many cells were at their target, where somebody looked."""
    return NONE if row.reached is None else f"{row.reached} of {row.cells}"


def seeds(of: Seeds) -> str:
    """The seeds of a cell.

    Example:
        >>> seeds(Seeds(1, 2, None)), seeds(Seeds(None, None, 101))
        ('original 1, unlearning 2', 'reference 101')
    """
    named = (("original", of.original), ("unlearning", of.unlearning), ("reference", of.reference))
    return ", ".join(f"{name} {seed}" for name, seed in named if seed is not None) or "no seed"


def listed(names: Iterable[str], mark: str = ", ") -> str:
    """The first few, and how many more.

    Example:
        >>> listed("abcdefgh")
        'a, b, c, d, e, f and 2 more'
    """
    every = list(names)
    return mark.join(every[:_MOST]) + (f" and {len(every) - _MOST} more" if len(every) > _MOST else "")


def _times_100(value: float | None) -> float | None:
    return None if value is None else 100 * value
