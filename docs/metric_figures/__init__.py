"""The figures of docs/metrics.md: one module a family, one function a figure."""
