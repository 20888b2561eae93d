"""Binding a file: what is kept, what is written, what an undo brings back."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fake_upstream import GatewayStage, post_of, provider
from freeride_core.binder import Binder, ClientProtocol, Endpoint, Place, Unreadable
from freeride_core.binding.agent_files import is_installed, path_of
from freeride_core.binding.backups import Backups
from freeride_core.binding.change import Change, is_bound, plan_binding
from freeride_core.binding.files import BindingError
from freeride_core.gateway.protocols.registry import SERVED

ENDPOINT = Endpoint("http://127.0.0.1:11343")
OTHER = Endpoint("http://127.0.0.1:9")
BOUND = b"url=http://127.0.0.1:11343/v1\n"


class LineBinder(Binder):
    """Owns the lines that begin with `url=`."""

    name = "toy"
    title = "Toy"
    homepage = "https://toy.example"

    def path(self, scope: Place, home: Path, cwd: Path) -> Path:
        return home / "toy.conf"

    def edit(self, text: str | None, endpoint: Endpoint) -> str:
        if text is not None and "broken" in text:
            raise Unreadable("line 1, column 1: broken")
        others = [line for line in (text or "").splitlines(keepends=True) if not line.startswith("url=")]
        return "".join([*others, f"url={endpoint.openai}\n"])


class MovedBinder(LineBinder):
    scopes = (Place.HOME, Place.PROJECT)
    moved_by: tuple[tuple[str, str], ...] = (("TOY_FILE", ".toy/conf/toy.conf"), ("TOY_HOME", ".toy"))

    def path(self, scope: Place, home: Path, cwd: Path) -> Path:
        return (home if scope is Place.HOME else cwd) / ".toy" / "conf" / "toy.conf"


class RenamedBinder(MovedBinder):
    def other_paths(self, scope: Place, home: Path, cwd: Path) -> tuple[Path, ...]:
        return (home / ".toy" / "conf" / "toy.conf.old", home / ".old" / "toy.conf")


class FailingBinder(LineBinder):
    def edit(self, text: str | None, endpoint: Endpoint) -> str:
        raise KeyError(text)


BINDER = LineBinder()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "toy.conf"


@pytest.fixture
def backups(freeride_home: Path) -> Backups:
    return Backups(freeride_home)


def bind(backups: Backups, path: Path, endpoint: Endpoint = ENDPOINT) -> Change:
    change = plan_binding(BINDER, endpoint, path)
    backups.apply(change, BINDER, endpoint)
    return change


def undo(backups: Backups, path: Path, *, force: bool = False) -> None:
    backups.undo(backups.plan_undo(path, force=force))


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("before", [b"", b"a=1", b"a=1\r\n", b"\xef\xbb\xbfa=1\nurl=mine\n# \xf0\x9f\x90\xb4\n"])
def test_an_undo_gives_back_the_same_bytes(backups: Backups, path: Path, before: bytes) -> None:
    path.write_bytes(before)
    bind(backups, path)
    assert path.read_bytes() != before
    undo(backups, path)
    assert path.read_bytes() == before
    assert list(backups.folder.iterdir()) == []


def test_an_undo_removes_a_file_that_was_not_there_before(backups: Backups, path: Path) -> None:
    bind(backups, path)
    assert path.read_bytes() == BOUND
    undo(backups, path)
    assert not path.exists()


@pytest.mark.parametrize("before", [b"a=1\n", None])
def test_an_undo_after_several_bindings_goes_back_to_the_first(
    backups: Backups, path: Path, before: bytes | None
) -> None:
    if before is not None:
        path.write_bytes(before)
    for endpoint in (ENDPOINT, OTHER, ENDPOINT):
        bind(backups, path, endpoint)
    undo(backups, path)
    assert (path.read_bytes() if path.exists() else None) == before


def test_line_ends_and_byte_order_marks_reach_the_binder_and_the_file_as_they_are(backups: Backups, path: Path) -> None:
    path.write_bytes(b"\xef\xbb\xbfa=1\r\nb=2\rc=3\n")
    bind(backups, path)
    assert path.read_bytes() == b"\xef\xbb\xbfa=1\r\nb=2\rc=3\n" + BOUND


def test_a_plan_writes_nothing(backups: Backups, path: Path) -> None:
    change = plan_binding(BINDER, ENDPOINT, path)
    assert (change.before, change.after, change.is_needed) == (None, BOUND, True)
    assert not path.exists()
    assert not backups.folder.exists()


@pytest.mark.parametrize("file_mode", [0o600, 0o644, 0o664, 0o640])
def test_a_file_keeps_its_mode(backups: Backups, path: Path, file_mode: int) -> None:
    path.write_bytes(b"a=1\n")
    path.chmod(file_mode)
    bind(backups, path)
    assert mode(path) == file_mode
    undo(backups, path)
    assert mode(path) == file_mode


def test_what_is_new_is_for_the_owner_alone(backups: Backups, path: Path) -> None:
    umask = os.umask(0)
    try:
        bind(backups, path)
        path.unlink()
        path.write_bytes(b"a=1\n")
        bind(backups, path)
    finally:
        os.umask(umask)
    path.unlink()
    bind(backups, path)
    assert mode(path) == 0o600
    assert mode(backups.folder) == 0o700
    kept = list(backups.folder.iterdir())
    assert {file.suffix for file in kept} == {".json", ".bak"}
    assert {mode(file) for file in kept} == {0o600}


def test_a_symbolic_link_stays_one_and_its_target_is_edited(backups: Backups, path: Path, tmp_path: Path) -> None:
    dotfiles = tmp_path / "dotfiles"
    dotfiles.mkdir()
    target = dotfiles / "toy"
    target.write_bytes(b"a=1\n")
    (tmp_path / "hop").symlink_to(target)
    path.symlink_to("hop")
    bind(backups, path)
    assert path.is_symlink()
    assert target.read_bytes() == b"a=1\n" + BOUND
    assert is_bound(BINDER, ENDPOINT, target)
    undo(backups, path)
    assert path.is_symlink()
    assert target.read_bytes() == b"a=1\n"


def test_a_link_to_nowhere_gets_its_target_and_loses_it_again(backups: Backups, path: Path, tmp_path: Path) -> None:
    path.symlink_to(tmp_path / "missing" / "toy")
    bind(backups, path)
    assert (tmp_path / "missing" / "toy").read_bytes() == BOUND
    undo(backups, path)
    assert path.is_symlink()
    assert not path.exists()


def test_a_loop_of_links_is_refused(path: Path) -> None:
    path.symlink_to(path)
    with pytest.raises(BindingError):
        plan_binding(BINDER, ENDPOINT, path)


def test_the_folder_is_made_and_nothing_else_is_left_in_it(backups: Backups, tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "toy.conf"
    bind(backups, path)
    bind(backups, path, OTHER)
    assert list(path.parent.iterdir()) == [path]


def test_an_undo_is_refused_when_somebody_else_changed_the_file(backups: Backups, path: Path) -> None:
    path.write_bytes(b"a=1\n")
    bind(backups, path)
    with path.open("ab") as file:
        file.write(b"b=2\n")
    changed = path.read_bytes()
    with pytest.raises(BindingError, match="--force"):
        undo(backups, path)
    assert path.read_bytes() == changed
    undo(backups, path, force=True)
    assert path.read_bytes() == b"a=1\n"


def test_a_change_between_two_bindings_counts_as_well(backups: Backups, path: Path) -> None:
    path.write_bytes(b"a=1\n")
    bind(backups, path)
    path.write_bytes(b"b=2\n" + path.read_bytes())
    for endpoint in (OTHER, ENDPOINT):
        bind(backups, path, endpoint)
    with pytest.raises(BindingError, match="--force"):
        undo(backups, path)
    undo(backups, path, force=True)
    assert path.read_bytes() == b"a=1\n"


@pytest.mark.parametrize("restored", [b"a=1\n", b"c=3\n"])
def test_a_file_that_was_unbound_by_hand_begins_anew(backups: Backups, path: Path, restored: bytes) -> None:
    path.write_bytes(b"a=1\n")
    bind(backups, path)
    path.write_bytes(restored)
    bind(backups, path, OTHER)
    undo(backups, path)
    assert path.read_bytes() == restored


def test_an_undo_of_what_was_restored_by_hand_only_forgets(backups: Backups, path: Path) -> None:
    path.write_bytes(b"a=1\n")
    bind(backups, path)
    path.write_bytes(b"a=1\n")
    undo(backups, path)
    assert path.read_bytes() == b"a=1\n"
    assert backups.record(path) is None


def test_a_removed_file_comes_back_only_by_force_and_with_its_mode(backups: Backups, path: Path) -> None:
    path.write_bytes(b"a=1\n")
    path.chmod(0o640)
    bind(backups, path)
    path.unlink()
    with pytest.raises(BindingError, match="--force"):
        undo(backups, path)
    undo(backups, path, force=True)
    assert path.read_bytes() == b"a=1\n"
    assert mode(path) == 0o640


def test_nothing_is_undone_twice(backups: Backups, path: Path) -> None:
    path.write_bytes(b"a=1\n")
    bind(backups, path)
    undo(backups, path)
    with pytest.raises(BindingError, match="nothing to undo"):
        undo(backups, path)


@pytest.mark.parametrize("damage", [lambda file: file.unlink(), lambda file: file.write_bytes(b"a=2\n")])
def test_a_damaged_backup_is_never_put_back(backups: Backups, path: Path, damage: Callable[[Path], object]) -> None:
    path.write_bytes(b"a=1\n")
    bind(backups, path)
    record = backups.record(path)
    assert record is not None
    kept = backups.backup_path(record)
    assert kept is not None
    damage(kept)
    for force in (False, True):
        with pytest.raises(BindingError, match="backup"):
            undo(backups, path, force=force)
    assert path.read_bytes() == b"a=1\n" + BOUND


@pytest.mark.parametrize("damage", ["", "{", "[]", "{}", '{"folders": 1}', '"text"', "null"])
def test_a_damaged_record_is_named_with_what_takes_its_place(backups: Backups, path: Path, damage: str) -> None:
    path.write_bytes(b"a=1\n")
    bind(backups, path)
    (record,), (kept,) = backups.folder.glob("*.json"), backups.folder.glob("*.bak")
    record.write_text(damage)
    with pytest.raises(BindingError) as raised:
        backups.plan_undo(path, force=False)
    assert f"{record} is damaged" in str(raised.value)
    assert f"copy {kept} to {path}" in str(raised.value)
    kept.unlink()
    with pytest.raises(BindingError, match="by hand"):
        bind(backups, path, OTHER)


def test_a_damaged_record_hides_no_other(backups: Backups, path: Path, tmp_path: Path) -> None:
    bind(backups, path)
    (record,) = backups.folder.glob("*.json")
    record.write_text("{")
    other = tmp_path / "other.conf"
    bind(backups, other)
    assert [found.path for found in backups.records()] == [str(other)]
    undo(backups, other)
    assert not other.exists()


def test_the_record_of_a_newer_version_is_read(backups: Backups, path: Path) -> None:
    path.write_bytes(b"a=1\n")
    bind(backups, path)
    (record,) = backups.folder.glob("*.json")
    record.write_text(json.dumps({**json.loads(record.read_text()), "of_tomorrow": [1]}))
    assert [found.path for found in backups.records()] == [str(path)]
    undo(backups, path)
    assert path.read_bytes() == b"a=1\n"


@pytest.mark.parametrize("before", [b"a=1\n", None])
def test_an_undo_by_force_keeps_what_it_replaces(backups: Backups, path: Path, before: bytes | None) -> None:
    for later in (b"later=1\n", b"later=2\n"):
        if before is not None:
            path.write_bytes(before)
        bind(backups, path)
        changed = path.read_bytes() + later
        path.write_bytes(changed)
        copy = backups.undo(backups.plan_undo(path, force=True))
        assert (path.read_bytes() if path.exists() else None) == before
        assert copy is not None
        assert (copy.read_bytes(), mode(copy)) == (changed, 0o600)
        assert (copy.parent, copy.name.endswith(".replaced.bak")) == (backups.folder, True)
    assert len(list(backups.folder.iterdir())) == 2, "none takes the place of another"


def test_what_was_changed_between_two_bindings_is_kept_too(backups: Backups, path: Path) -> None:
    path.write_bytes(b"a=1\n")
    bind(backups, path)
    path.write_bytes(b"b=2\n" + path.read_bytes())
    bind(backups, path, OTHER)
    changed = path.read_bytes()
    copy = backups.undo(backups.plan_undo(path, force=True))
    assert copy is not None
    assert copy.read_bytes() == changed


def test_an_undo_of_our_own_work_keeps_no_copy(backups: Backups, path: Path) -> None:
    path.write_bytes(b"a=1\n")
    bind(backups, path)
    assert backups.undo(backups.plan_undo(path, force=True)) is None
    assert list(backups.folder.iterdir()) == []


def test_an_undo_removes_the_folders_that_were_made_where_they_are_empty(backups: Backups, tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    path = own / "new" / "folder" / "toy.conf"
    for endpoint in (ENDPOINT, OTHER):
        bind(backups, path, endpoint)
    path.unlink()
    bind(backups, path)
    undo(backups, path)
    assert list(own.iterdir()) == []
    bind(backups, path)
    (own / "new" / "mine").touch()
    undo(backups, path)
    assert list((own / "new").iterdir()) == [own / "new" / "mine"]
    (own / "new" / "mine").unlink()
    bind(backups, own / "new" / "toy.conf")
    undo(backups, own / "new" / "toy.conf")
    assert (own / "new").is_dir(), "it was there before"


def test_a_change_between_plan_and_write_is_not_overwritten(backups: Backups, path: Path) -> None:
    path.write_bytes(b"a=1\n")
    change = plan_binding(BINDER, ENDPOINT, path)
    path.write_bytes(b"a=2\n")
    with pytest.raises(BindingError, match="just now"):
        backups.apply(change, BINDER, ENDPOINT)
    assert path.read_bytes() == b"a=2\n"


def test_when_writing_fails_the_old_file_is_whole_and_no_record_is_left(
    backups: Backups, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_bytes(b"a=1\n")
    change = plan_binding(BINDER, ENDPOINT, path)
    replace = Path.replace

    def fail_at_target(own: Path, target: Path) -> Path:
        if target == path:
            raise OSError(28, "No space left on device")
        return replace(own, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", fail_at_target)
        with pytest.raises(BindingError, match="No space left"):
            backups.apply(change, BINDER, ENDPOINT)
    assert path.read_bytes() == b"a=1\n"
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    assert list(backups.folder.iterdir()) == [], "a failed write leaves no record"
    bind(backups, path)
    change = plan_binding(BINDER, OTHER, path)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", fail_at_target)
        with pytest.raises(BindingError, match="No space left"):
            backups.apply(change, BINDER, OTHER)
    record = backups.record(path)
    assert record is not None
    assert record.root == ENDPOINT.root, "nor does it change the one that is there"
    undo(backups, path)
    assert path.read_bytes() == b"a=1\n"


def test_the_file_is_never_seen_half_written_or_with_another_mode(
    backups: Backups, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_bytes(b"a=1\n")
    path.chmod(0o600)
    seen: list[tuple[int, bytes, bytes]] = []
    replace = Path.replace

    def look(own: Path, target: Path) -> Path:
        if target == path:
            seen.append((mode(own), own.read_bytes(), path.read_bytes()))
        return replace(own, target)

    monkeypatch.setattr(Path, "replace", look)
    bind(backups, path)
    assert seen == [(0o600, b"a=1\n" + BOUND, b"a=1\n")]


def test_files_that_are_not_text_are_left_alone(path: Path) -> None:
    path.write_bytes(b"a=1\n\xff\n")
    with pytest.raises(Unreadable, match="byte 5 is not UTF-8"):
        plan_binding(BINDER, ENDPOINT, path)
    path.unlink()
    path.mkdir()
    with pytest.raises(BindingError, match="regular file"):
        plan_binding(BINDER, ENDPOINT, path)


def test_a_binder_that_fails_is_blamed_without_a_word_of_the_file(path: Path) -> None:
    path.write_text("secret=abcdefgh\n", encoding="utf-8")
    with pytest.raises(BindingError) as raised:
        plan_binding(FailingBinder(), ENDPOINT, path)
    assert str(raised.value) == "the binder 'toy' failed with KeyError"


def test_a_binder_without_the_scope_is_named() -> None:
    assert path_of(BINDER, Place.HOME, Path("/h"), Path("/p"), {}) == Path("/h/toy.conf")
    with pytest.raises(BindingError, match="'project'; it has: home"):
        path_of(BINDER, Place.PROJECT, Path("/h"), Path("/p"), {})


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, "/h/.toy/conf/toy.conf"),
        ({"TOY_FILE": "", "TOY_HOME": ""}, "/h/.toy/conf/toy.conf"),
        ({"TOY_HOME": "/else"}, "/else/conf/toy.conf"),
        ({"TOY_FILE": "/here/it.conf", "TOY_HOME": "/else"}, "/here/it.conf"),
        ({"ANOTHER": "/else"}, "/h/.toy/conf/toy.conf"),
    ],
)
def test_the_agents_own_variables_move_its_file(environ: dict[str, str], expected: str) -> None:
    assert path_of(MovedBinder(), Place.HOME, Path("/h"), Path("/p"), environ) == Path(expected)


@pytest.mark.parametrize("value", ["else", "~/else", "$HOME/else"])
def test_a_variable_that_is_no_whole_path_moves_it_nowhere(value: str) -> None:
    with pytest.raises(BindingError, match=r"TOY_HOME is set to .*: write a whole path"):
        path_of(MovedBinder(), Place.HOME, Path("/h"), Path("/p"), {"TOY_HOME": value})
    assert not is_installed(MovedBinder(), Path("/h"), {"TOY_HOME": value})


def test_other_names_move_along_or_count_no_more(tmp_path: Path) -> None:
    for place in (".toy/conf", ".old"):
        (tmp_path / "h" / place).mkdir(parents=True)
    (tmp_path / "h/.old/toy.conf").touch()
    binder, home = RenamedBinder(), tmp_path / "h"
    assert path_of(binder, Place.HOME, home, home, {}) == home / ".old/toy.conf"
    assert path_of(binder, Place.HOME, home, home, {"TOY_HOME": str(tmp_path)}) == tmp_path / "conf/toy.conf"
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf/toy.conf.old").touch()
    assert path_of(binder, Place.HOME, home, home, {"TOY_HOME": str(tmp_path)}) == tmp_path / "conf/toy.conf.old"


def test_a_variable_that_has_nothing_to_do_with_the_file_moves_it_nowhere() -> None:
    binder = MovedBinder()
    binder.moved_by = (("TOY_HOME", ".another"),)
    assert path_of(binder, Place.HOME, Path("/h"), Path("/p"), {"TOY_HOME": "/else"}) == Path("/h/.toy/conf/toy.conf")


def test_they_do_not_move_a_projects_file() -> None:
    environ = {"TOY_FILE": "/here/it.conf", "TOY_HOME": "/else"}
    assert path_of(MovedBinder(), Place.PROJECT, Path("/h"), Path("/h"), environ) == Path("/h/.toy/conf/toy.conf")


def test_the_records_say_what_is_bound_where_and_hold_no_key(backups: Backups, path: Path) -> None:
    path.write_bytes(b"a=1\n")
    bind(backups, path, Endpoint("http://127.0.0.1:9", key="a-secret-token", model="fast"))
    (record,) = backups.records()
    assert (record.binder, record.path, record.root, record.model) == ("toy", str(path), "http://127.0.0.1:9", "fast")
    (file,) = backups.folder.glob("*.json")
    assert json.loads(file.read_text())["path"] == str(path)
    assert "a-secret" not in file.read_text()


def test_files_of_one_name_in_two_folders_do_not_mix(backups: Backups, tmp_path: Path) -> None:
    paths = [tmp_path / "one" / "toy.conf", tmp_path / "two" / "toy.conf"]
    for index, path in enumerate(paths):
        path.parent.mkdir()
        path.write_text(f"a={index}\n")
        bind(backups, path)
    for index, path in enumerate(paths):
        undo(backups, path)
        assert path.read_text() == f"a={index}\n"


def test_binding_needs_no_http(tmp_path: Path) -> None:
    program = (
        "import sys, freeride_core.binding.change, freeride_core.cli.bind, freeride_core.plugins.discovery\n"
        "import freeride_core.editing.yaml\n"
        "print(sorted({'httpx', 'uvicorn', 'rich'} & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert shown.stdout == "[]\n"


@pytest.mark.parametrize("route", ClientProtocol)
def test_the_routes_that_core_binds_agents_to_are_those_that_the_gateway_has(
    route: ClientProtocol, tmp_path: Path
) -> None:
    with (
        GatewayStage(tmp_path, provider("alpha")) as stage,
        stage.raw(post_of(b"{}", route.format(model="auto"))) as connection,
    ):
        connection.settimeout(5)
        status_line = connection.recv(65_536).split(b"\r\n")[0]
    assert (b" 404 " not in status_line) == (route in SERVED)
