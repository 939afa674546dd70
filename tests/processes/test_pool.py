"""Jobs in processes: who does them, and what becomes of those whose process dies."""

import os

import pytest

from lightning_unlearn.processes import run_all
from lightning_unlearn.processes._process import Process
from tests._processes import alive
from tests.processes._jobs import Killed, KilledOnce, Raises, Refuses, Unreadable, Waits, Writes

pytestmark = pytest.mark.slow  # each process imports torch


class Seen:
    def __init__(self):
        self.said, self.ends = [], []

    def progress(self, job, progress):
        self.said.append((job.name, *progress))

    def ended(self, job, failure):
        self.ends.append((job.name, failure))


@pytest.fixture
def make(tmp_path):
    return lambda kind, *names: [kind(name, tmp_path) for name in names]


def pids(jobs):
    return [int(job.written.read_text()) for job in jobs]


def test_a_process_may_serve_several_jobs_or_one(make):
    jobs, seen = make(Writes, *"abcde"), Seen()
    assert run_all(jobs, 2, seen, reuse=True) == {}
    assert len(set(pids(jobs))) <= 2
    assert sorted(seen.ends) == [(name, None) for name in "abcde"]
    assert sorted(seen.said) == [(name, 0.5, "half") for name in "abcde"]
    assert [job.log.read_text() for job in jobs] == [f"written by {name}\n" for name in "abcde"]
    others = make(Writes, *"fg")
    run_all(others, 1, seen)
    assert len(set(pids(others))) == 2
    assert os.getpid() not in pids([*jobs, *others])


def test_who_dies_or_fails_takes_no_other_job_along(make):
    first, killed, second, raises, third = (
        *make(Writes, "first"), *make(Killed, "killed"), *make(Writes, "second"), *make(Raises, "raises"),
        *make(Writes, "third"),
    )  # fmt: skip
    refused, unreadable = *make(Refuses, "refused"), *make(Unreadable, "unreadable")
    seen = Seen()
    jobs = [first, killed, second, raises, third, refused, unreadable]
    failures = run_all(jobs, 1, seen, reuse=True)
    assert list(failures) == ["raises", "refused", "unreadable", "killed"]
    assert failures["killed"] == (
        "The process ended by itself, twice, exit code -9 (-9: killed, often for memory).\nthe last words"
    )
    assert failures["raises"].endswith('raise RuntimeError("of the user")\nRuntimeError: of the user')
    assert failures["refused"] == "It cannot be done."
    assert "ValueError: invalid literal" in failures["unreadable"]
    assert len(set(pids([first, second, third]))) == 3, "a process that failed is not asked again"
    assert [name for name, _ in seen.ends] == [*(job.name for job in jobs if job is not killed), "killed"]


def test_a_job_whose_process_is_killed_is_begun_once_more(make):
    jobs, seen = [*make(KilledOnce, "once"), *make(Writes, "other")], Seen()
    assert run_all(jobs, 1, seen, reuse=True) == {}
    assert seen.ends == [("other", None), ("once", None)]


def test_a_job_given_to_a_process_that_is_dead_goes_to_another_one(make, monkeypatch):
    """Killed between two jobs, when nobody listens."""
    give, given = Process.give, []

    def late(self, job):
        given.append(job.name)
        if given == ["a", "b"]:
            self.kill()
            self.join()
        give(self, job)

    monkeypatch.setattr(Process, "give", late)
    jobs, seen = make(Writes, "a", "b"), Seen()
    assert run_all(jobs, 1, seen, reuse=True) == {}
    assert given == ["a", "b", "b"]
    assert seen.ends == [("a", None), ("b", None)]


def test_whatever_ends_it_ends_the_processes(make, monkeypatch):
    monkeypatch.setenv("STARTED_BY_TEST", "test_whatever_ends_it")
    mine = {os.getpid()} & set(alive("STARTED_BY_TEST=test_whatever_ends_it"))

    class Interrupts(Seen):
        def progress(self, job, progress):
            assert job.fragment.exists()
            raise KeyboardInterrupt

    (job,) = make(Waits, "waits")
    with pytest.raises(KeyboardInterrupt):
        run_all([job], 1, Interrupts(), reuse=True)
    assert set(alive("STARTED_BY_TEST=test_whatever_ends_it")) == mine
    assert not job.fragment.exists()
    assert not job.log.exists()
