"""What a request's numbers say, and what they cannot say, in sentences."""

from __future__ import annotations

from collections.abc import Sequence

from lightning_unlearn.compare.report._format import listed, paired, points, seeds
from lightning_unlearn.compare.report._summary import Request, Row


def findings(request: Request) -> list[str]:
    """The closest strategy, the floor, and who is closer than the controls with the same settings."""
    strategies = [row for row in request.rows if row.kind == "strategy"]
    ranked = [row for row in strategies if row.rank is not None and row.average_gap]
    best = ranked[0].rank if ranked else None
    closer = [row for row in request.rows if row.kind != "strategy" and row.rank and best and row.rank < best]
    found = []
    if closer:
        controls = ", ".join(f"{row.name} ({points(row.average_gap)} points)" for row in closer)
        found.append(f"No strategy comes as close to retraining as {controls}.")
    if ranked:
        first = [row.name for row in ranked if row.rank == ranked[0].rank]
        among = "Among the strategies, " if closer else ""
        found.append(
            f"{among}{' and '.join(first)} {'comes' if len(first) == 1 else 'come'} closest to retraining: an average gap of "
            f"{points(ranked[0].average_gap)} points."
        )
    found += [
        f"A retrained model is {points(row.average_gap)} points from the mean of the other "
        f"{'one' if row.cells == 2 else row.cells - 1}: a gap of that size cannot be told from one more retraining."
        for row in request.rows
        if row.kind == "retraining" and row.average_gap
    ]
    if request.references and strategies:
        found += _beside(strategies)
    return found


def _beside(strategies: Sequence[Row]) -> list[str]:
    """Who is closer than the controls that there are, on average over pairs, and who is not."""
    every = {
        "retain fine-tuning": [row.beside_fine_tuning for row in strategies],
        "ascent": [row.beside_ascent for row in strategies],
    }
    there = {name: pairs for name, pairs in every.items() if any(pairs)}
    better, worse = [], []
    for n, row in enumerate(strategies):
        pairs = {name: pair for name, of in there.items() if (pair := of[n])}
        if len(pairs) < len(there) or not there:
            continue
        if all(pair.mean < 0 < pair.closer for pair in pairs.values()):
            better.append(row.name)
        else:
            worse.append(
                f"{row.name} ({', '.join(f'{paired(pair)} beside {name}' for name, pair in pairs.items())})"
            )
    controls = f"than {' and than '.join(there)} with the same settings and seeds, on average"
    found = [f"Closer to retraining {controls}: {', '.join(better)}."] if better else []
    return found + ([f"Not closer {controls}: {'; '.join(worse)}."] if worse else [])


def lacks(request: Request, absent: Sequence[str]) -> list[str]:
    """What is not there, and what cannot be known without it."""
    found = []
    retraining = [row for row in request.rows if row.kind == "retraining"]
    if not request.references:
        failed = sum(len(row.failed) for row in retraining)
        why = f"all {failed} retrainings have failed" if failed else "no model was retrained"
        found.append(f"Gaps and ranks are unknown, because {why}.")
    elif request.references == 1:
        found.append("How far retrained models are from one another is unknown, because there is only one.")
    if absent:
        found.append(f"There is no cell of: {', '.join(absent)}.")
    found += [
        f"{_named(row)} has no cell for {listed((seeds(of) for of in row.missing), '; ')}."
        for row in request.rows
        if row.missing
    ]
    left = [row.name for row in request.rows if row.kind != "retraining" and (row.failed or row.missing)]
    if left and request.references:
        found.append(
            f"Without a rank, because a cell has failed or is missing: {', '.join(left)}. "
            "Their numbers are those of the other cells."
        )
    return found


def _named(row: Row) -> str:
    """At the beginning of a sentence; a user's name stays as it is."""
    return row.name if row.kind == "strategy" else row.name[:1].upper() + row.name[1:]
