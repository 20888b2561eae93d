"""What is damaged is kept under another name, once."""

from __future__ import annotations

from pathlib import Path

from freeride_core.system.files import set_aside


def test_its_companions_go_with_it(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    for name in ("a.db", "a.db-wal", "a.db-journal", "b.db"):
        (tmp_path / name).write_text(name)
    assert set_aside(path, path.stat().st_ino, 1234.5) == tmp_path / "a.db.damaged-1234"
    assert {found.name: found.read_text() for found in tmp_path.iterdir()} == {
        "a.db.damaged-1234": "a.db",
        "a.db.damaged-1234-wal": "a.db-wal",
        "a.db.damaged-1234-journal": "a.db-journal",
        "b.db": "b.db",
    }


def test_what_another_process_has_begun_anew_stays(tmp_path: Path) -> None:
    damaged, path = tmp_path / "damaged.db", tmp_path / "a.db"
    damaged.touch()
    assert set_aside(path, damaged.stat().st_ino, 1234.5) is None
    path.touch()
    assert set_aside(path, damaged.stat().st_ino, 1234.5) is None
    assert {found.name for found in tmp_path.iterdir()} == {"damaged.db", "a.db"}
