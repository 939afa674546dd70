"""Three files, all or none, the same for the same report."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import matplotlib as mpl
import pytest

from lightning_unlearn import ConfigurationError
from lightning_unlearn.audit import _write
from lightning_unlearn.audit._json import from_json, to_json
from lightning_unlearn.audit._write import NAMES, check_writable, write
from tests.audit._samples import classification, generator


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_three_files_and_nothing_else(tmp_path):
    report = generator()
    paths = write(report, tmp_path / "new" / "folder")
    assert set(contents(tmp_path / "new" / "folder")) == set(paths) == set(NAMES)
    assert to_json(from_json(paths["report.json"].read_text())) == to_json(report)


def test_the_same_report_gives_the_same_bytes_whatever_the_user_has_set(tmp_path):
    write(classification(), tmp_path / "a")
    with mpl.rc_context(
        {"axes.facecolor": "red", "font.size": 30, "svg.hashsalt": "x", "lines.linewidth": 9}
    ):
        write(classification(), tmp_path / "b")
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


@pytest.mark.slow
def test_another_process_writes_the_same_bytes(tmp_path):
    program = (
        "import sys; from tests.audit._samples import classification;"
        "from lightning_unlearn.audit._write import write; write(classification(), sys.argv[1])"
    )
    folder = tmp_path / "there"
    environment = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", program, str(folder)], check=True, env=environment)
    write(classification(), tmp_path / "here")
    assert contents(folder) == contents(tmp_path / "here")


def test_two_runs_differ_in_when_they_were_made_only(tmp_path):
    made = {"at": "2027-01-01T00:00:00Z", "seconds": 1.0}
    texts = [to_json(report).splitlines() for report in (generator(), replace(generator(), made=made))]
    different = [line for line in zip(*texts, strict=True) if line[0] != line[1]]
    assert [json.loads("{" + old.rstrip(",") + "}").keys() for old, _ in different] == [{"at"}, {"seconds"}]


def test_a_report_that_cannot_be_written_leaves_the_old_one(tmp_path):
    write(generator(), tmp_path)
    before = contents(tmp_path)
    with pytest.raises(ConfigurationError):
        write(replace(generator(), configuration={"module": object()}), tmp_path)
    assert contents(tmp_path) == before


def test_no_file_is_half_written(tmp_path, monkeypatch):
    write(generator(), tmp_path)
    before = contents(tmp_path)

    def interrupted(old, new):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write(replace(generator(), made={"seconds": 2.0}), tmp_path)
    assert contents(tmp_path) == before


def test_a_page_that_fails_leaves_no_new_json(tmp_path, monkeypatch):
    def fails(report):
        raise RuntimeError("no page")

    monkeypatch.setattr(_write, "to_html", fails)
    with pytest.raises(RuntimeError, match="no page"):
        write(generator(), tmp_path)
    assert contents(tmp_path) == {}


def test_names_of_files_that_are_no_unicode_are_written(tmp_path):
    report = generator()
    odd = replace(report.models[0], source=b"a\xff.ckpt".decode("utf-8", "surrogateescape"))
    path = write(replace(report, models=(odd, *report.models[1:])), tmp_path)["report.json"]
    assert from_json(path.read_text(encoding="utf-8")).models[0].source == odd.source


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(ConfigurationError, match=r"The output folder must be writable, found .*Name"):
            check_writable(folder)


def test_a_name_that_is_taken_by_a_folder_is_found_before_the_audit(tmp_path):
    (tmp_path / "report.md").mkdir()
    with pytest.raises(ConfigurationError, match=r"must have room for the file report\.md, found a folder"):
        check_writable(tmp_path)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(ConfigurationError, match="Permission denied"):
        check_writable(tmp_path)


def test_a_full_disk_is_found_before_the_audit(tmp_path, monkeypatch):
    def full(path, *args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.touch", full)
    with pytest.raises(ConfigurationError, match=r"\(No space left on device\)"):
        check_writable(tmp_path)


def test_a_check_leaves_nothing(tmp_path):
    assert check_writable(str(tmp_path)) == tmp_path
    assert contents(tmp_path) == {}
