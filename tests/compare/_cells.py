"""Cells, but for what differs from run to run."""


def numbers(cell):
    """All that is in it but seconds."""
    return {name: value for name, value in cell.items() if not name.startswith("seconds")}
