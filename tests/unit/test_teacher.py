from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from skills.errors import InputError
from training import teacher
from training.teacher import embed, teacher_directory

TEXTS = ["I lost my card", "play some jazz", "my card is gone"]


@pytest.fixture
def extra() -> None:
    pytest.importorskip("sentence_transformers", reason="not installed: pip install 'softspoken[adapt]'")


@pytest.mark.usefixtures("extra")
def test_the_packaged_teacher_relates_paraphrases() -> None:
    done: list[int] = []
    vectors = embed(TEXTS, teacher_directory(), done.append)
    assert vectors.dtype == np.float32
    assert (vectors.shape, done) == ((3, 384), [3])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    alike = vectors @ vectors.T
    assert alike[0, 2] > 0.6 > 0.3 > alike[0, 1]


@pytest.mark.usefixtures("extra")
def test_a_directory_that_holds_no_teacher_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"is no sentence-transformers model: it has no modules\.json"):
        embed(TEXTS, tmp_path)
    (tmp_path / "modules.json").write_text("[")
    with pytest.raises(InputError, match="cannot be read as a teacher"):
        embed(TEXTS, tmp_path)


def test_a_teacher_that_is_not_installed_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(teacher, "PACKAGE", "no_such_package")
    with pytest.raises(InputError, match=r"pip install 'softspoken\[adapt\]'"):
        teacher_directory()
