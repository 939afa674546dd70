"""Whether a model has forgotten: one verdict, with its evidence."""

from lightning_unlearn.audit._audit import audit
from lightning_unlearn.audit._generator import audit_generator
from lightning_unlearn.audit._report import AuditReport

__all__ = ["AuditReport", "audit", "audit_generator"]
