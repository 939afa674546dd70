"""A report as Markdown: the words and the numbers of the page, without its figures."""

from __future__ import annotations

from lightning_unlearn.audit._report import AuditReport
from lightning_unlearn.audit._rows import MEANINGS, Cell, by_side, compared, test_rows
from lightning_unlearn.audit._text import request, side
from lightning_unlearn.rendering import escaped, leaves, markdown_list, markdown_table, number, share


def to_markdown(report: AuditReport) -> str:
    """The report as GitHub's Markdown; whatever came from the user is escaped.

    Args:
        report: What an audit has found.

    Returns:
        Text with a line feed at its end.
    """
    verdict = report.verdict
    parts = [
        f"# Audit: {verdict.name}",
        f"**{escaped(verdict.sentence)}**",
        f"*{verdict.name}*: {MEANINGS[verdict.name]}",
        f"To be forgotten: {escaped(request(report))}. Level: {share(verdict.level)} of the models that were retrained "
        "without the forget set would not be called forgotten.",
        "## Reasons",
        markdown_list(verdict.reasons, "1."),
        "## What this audit cannot know",
        markdown_list(verdict.cannot_know, "-"),
        "## Tests",
        _tests(report),
        "## Metrics",
        _metrics(report),
        "## Attacks",
        markdown_table(
            ("attack", "what it does", "ran"),
            [(a.name, a.what, "yes" if a.ran else f"no: {a.why_not}") for a in report.attacks],
        ),
        "## Models and samples",
        markdown_table(
            ("model", "role", "file", "numbers", "SHA-256 of the weights"),
            [(m.name, m.role, m.source or "–", number(m.parameters), m.sha256) for m in report.models],
        ),
        markdown_table(
            ("side", "samples", "SHA-256 of the sorted identifiers"),
            [(side(record.name), number(record.samples), record.sha256) for record in report.sides],
        ),
        "## Configuration",
        markdown_table(("argument", "value"), leaves(report.configuration)),
        "## Environment",
        markdown_table(("what", "version"), leaves(report.environment)),
        escaped("Made: " + ", ".join(f"{name} {value}" for name, value in leaves(report.made))) + ".",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _tests(report: AuditReport) -> str:
    return markdown_table(
        ("question", "result", "finding", "statistic", "p", "p (Holm)", "the same test of the original"),
        [
            (
                f"{row.record.question} ({row.record.name})",
                row.result,
                row.record.finding,
                number(row.record.statistic),
                row.p_value,
                row.adjusted,
                row.control,
            )
            for row in test_rows(report)
        ],
    )


def _metrics(report: AuditReport) -> str:
    head = (
        "metric",
        *compared(report),
        "references",
        "target",
        "gap of the original",
        "gap of the unlearned",
        "gap between references",
    )
    tables = [
        "\n\n".join(
            (
                f"### On the {escaped(side(name))}",
                markdown_table(
                    head,
                    [
                        (
                            f"{row.record.name}: {row.record.measures}",
                            *(_cell(cell) for cell in row.cells),
                            _cell(row.references),
                            _cell(row.target),
                            row.gap_original,
                            row.gap_unlearned,
                            row.gap_references,
                        )
                        for row in rows
                    ],
                ),
            )
        )
        for name, rows in by_side(report)
    ]
    return "\n\n".join(tables)


def _cell(cell: Cell) -> str:
    return f"{cell.text} ({cell.small})" if cell.small else cell.text
