"""Whether a model has forgotten: one verdict, with its evidence."""

from lightning_unlearn.audit._audit import audit
from lightning_unlearn.audit._generator import audit_generator
from lightning_unlearn.audit._report import AuditReport
from lightning_unlearn.audit._verify import Difference, verify
from lightning_unlearn.audit._write import write

__all__ = ["AuditReport", "Difference", "audit", "audit_generator", "verify", "write"]
