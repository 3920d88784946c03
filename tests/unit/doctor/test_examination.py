from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from nlu.server_settings import ServerSettings
from training.doctor.examination import examine
from training.doctor.finding import State


def test_a_check_that_fails_leaves_the_others(
    make_settings: Callable[..., ServerSettings], tmp_path: Path
) -> None:
    (tmp_path / "catalog.db").write_text("no database, but long enough to look like one " * 99)
    files = {"tls_certificate": tmp_path / "catalog.db", "tls_key": tmp_path / "missing"}

    found = list(examine(make_settings(threads=4096, **files)))

    problems = {each.check: each.found for each in found if each.state is State.PROBLEM}
    assert "not an SQLite database" in problems["catalog"]
    assert "threads is 4096" in problems["cpu"]
    assert str(tmp_path / "missing") in problems["certificates"]
    checks = {each.check for each in found}
    assert checks == {"catalog", "backbone", "cpu", "threads", "port", "certificates", "disk", "files"}
