"""Work in processes beside one another: jobs, how far they are, and what became of them."""

from lightning_unlearn.processes._cores import default_processes
from lightning_unlearn.processes._job import Job, Progress, Report
from lightning_unlearn.processes._overview import Overview
from lightning_unlearn.processes._pool import Pool, Watcher, run_all
from lightning_unlearn.processes._rows import Rows

__all__ = ["Job", "Progress", "Report", "Watcher", "Pool", "run_all", "Rows", "Overview", "default_processes"]
