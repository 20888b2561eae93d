"""What a binder makes of an agent's configuration."""

from __future__ import annotations

import difflib
import os
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path, PureWindowsPath

from freeride_conformance import second_provider
from freeride_conformance.audit import watching
from freeride_conformance.evidence import EVIDENCE
from freeride_conformance.rig import Rig
from freeride_conformance.rule import ConformanceRule, rule
from freeride_conformance.rules import loading
from freeride_conformance.rules.identity import SECTION as IDENTITY
from freeride_conformance.rules.identity import check_names
from freeride_conformance.rules.loading import LIGHT_FIX, VERSION_FIX
from freeride_conformance.rules.loading import SECTION as LOADING
from freeride_conformance.samples import Sample
from freeride_conformance.subject import BinderSubject, PluginOrigin, ProviderSubject
from freeride_core.binder import FILES, Binder, ClientProtocol, Endpoint, Place, Unreadable
from freeride_core.binding.backups import Backups
from freeride_core.binding.change import plan_binding

RULES: list[ConformanceRule[BinderSubject]] = []
SECTION = "Configurations"
HERE = Endpoint("http://127.0.0.1:11343")
THERE = Endpoint("http://127.0.0.1:22468", key="another-key", model="freeride/coding")
_NONSENSE = ("\x00\x01{{{[", "a: [1, 2\nb: }", '"unterminated')
_COMMENT = re.compile(r"(?:^|\s)(?:#|//)\s?\S.*$|/\*.*?\*/", re.MULTILINE)


@rule(RULES, IDENTITY, fix="use one lower-case name in pyproject.toml, for the folder, and as `name`")
def has_one_name(subject: BinderSubject) -> None:
    """The plugin has one name: distribution, module, entry point, `Binder.name`, and so in `freeride bind NAME`."""
    origin = subject.origin
    check_names("binder", subject.binder.name, origin.entry_point, origin.distribution, origin.package)


@rule(
    RULES,
    IDENTITY,
    fix="fill in `title`, `homepage` and `scopes`, say with `reloads` or `after` what the user does, and take "
    "`needs` from `ClientProtocol`",
)
def introduces_itself(subject: BinderSubject) -> None:
    """It states which agent it binds, where that is described, which route of the gateway the agent uses, and what the user
    does next."""
    binder = subject.binder
    for field in ("title", "homepage"):
        assert getattr(binder, field, "").strip(), f"`{field}` is empty"
    assert isinstance(binder.needs, ClientProtocol), f"{binder.needs!r} is no route of a gateway that core knows"
    assert binder.reloads in (True, False), f"`reloads` is {binder.reloads!r}, which is neither yes nor no"
    said = f"restart {binder.title}".lower()
    assert said not in binder.after.lower(), "`after` says what core says already: that it must be restarted"
    assert binder.homepage.startswith("https://"), f"{binder.homepage!r} is not an https address"
    assert subject.capabilities, "it has no scope, and cannot start the agent bound"


@rule(RULES, LOADING, fix=LIGHT_FIX)
def loads_lightly(subject: BinderSubject) -> None:
    """Loading it imports nothing that connects, serves or computes. It opens no socket, starts no process, writes no file, and
    reads no environment variable."""
    loading.check_weight(subject.origin)


@rule(RULES, LOADING, fix=VERSION_FIX)
def states_its_version(subject: BinderSubject) -> None:
    """It states the version of the contract that it was written for. An older core refuses it with the upgrade command, and one
    far ahead asks for a newer plugin. Its distribution names the oldest and the newest core that it fits."""
    loading.check_versions(subject.origin)


@rule(
    RULES,
    SECTION,
    fix="build the path from the `home` or the `cwd` that you are given; `moved_by` names what a variable replaces of it",
)
def stays_in_its_place(subject: BinderSubject) -> None:
    """The file is below the home or the folder that it is asked about, as the scope says. Each variable of the agent that moves
    it replaces a folder above it, or the file."""
    home, cwd = Path("/a/home"), Path("/a/project")
    for scope in subject.binder.scopes:
        root = home if scope is Place.HOME else cwd
        for each in (subject.binder.path(scope, home, cwd), *subject.binder.other_paths(scope, home, cwd)):
            path = Path(os.path.normpath(each))
            assert path.is_relative_to(root), f"with scope {scope} it writes to {path}, which is not below {root}"
    for variable, place in subject.binder.moved_by:
        assert re.fullmatch(r"[A-Z][A-Z0-9_]*", variable), f"{variable!r} in `moved_by` is no name of a variable"
        file = subject.binder.path(Place.HOME, home, cwd).relative_to(home)
        places = [each.as_posix() for each in (file, *file.parents)]
        assert place in places, f"`moved_by` says that {variable} replaces {place!r}, but it must be one of {places}"


@rule(RULES, SECTION, fix="turn text into text: files, addresses and keys are the core's business")
def touches_nothing(subject: BinderSubject) -> None:
    """It reads and writes no file, opens no connection and reads no environment variable. The same text gives the same
    result."""
    with watching(subject.origin.package) as watch:
        first, second = _all_values(subject), _all_values(subject)
    assert not watch.touched, f"it touched {', '.join(sorted(set(watch.touched)))}"
    assert first == second, "it gives something else the second time"


def _all_values(subject: BinderSubject) -> list[object]:
    binder = subject.binder
    texts = [None, *(sample.before for sample in subject.samples.samples)] if binder.scopes else []
    paths = [binder.path(scope, Path("/a/home"), Path("/a/project")) for scope in binder.scopes]
    edited = [binder.edit(text, HERE) for text in texts]
    return [paths, edited, [binder.models(text, HERE) for text in edited], binder.launch(HERE)]


def _edit(binder: Binder, text: str | None, endpoint: Endpoint = HERE) -> str:
    edited = binder.edit(text, endpoint)
    EVIDENCE.note("(no file)" if text is None else text, edited)
    return edited


@rule(
    RULES,
    SECTION,
    fix="write the address, the key and the model into a configuration that was not there",
    needs="files",
)
def binds_from_nothing(subject: BinderSubject) -> None:
    """If there is no file, it writes one that names the gateway's address, its key and the model. If the file has no place for
    the key, the user is told where it belongs."""
    for endpoint in (HERE, THERE):
        text = _edit(subject.binder, None, endpoint)
        for part in _parts(subject.binder, endpoint):
            assert part in text, f"{part!r} is not in the new configuration"


def _parts(binder: Binder, endpoint: Endpoint) -> Iterable[str]:
    """Yield what a configuration must contain."""
    told = binder.advice(endpoint)
    return [part for part in (endpoint.root, endpoint.key, endpoint.model) if part != endpoint.key or part not in told]


def _samples(subject: BinderSubject) -> Iterable[str]:
    return [sample.name for sample in subject.samples.samples]


def _sample(subject: BinderSubject, name: str) -> Sample:
    return next(sample for sample in subject.samples.samples if sample.name == name)


@rule(RULES, SECTION, fix="edit in place with a round-trip library, or correct the sample", variants=_samples)
def edits_its_samples(subject: BinderSubject, name: str) -> None:
    """Each sample becomes exactly what `samples.toml` says, and every comment in it stays."""
    sample = _sample(subject, name)
    edited = _edit(subject.binder, sample.before)
    diff = "".join(
        difflib.unified_diff(
            sample.after.splitlines(keepends=True), edited.splitlines(keepends=True), "samples.toml", "the binder", n=1
        )
    )
    assert edited == sample.after, f"it makes something else of it:\n{diff}"
    lost = [mark.strip() for mark in _COMMENT.findall(sample.before or "") if mark.strip() not in edited]
    assert not lost, f"comments are lost: {lost}"


@rule(
    RULES,
    SECTION,
    fix="ship samples.toml: no file, one with comments, one that is bound already, one that is broken",
    needs="files",
)
def shows_what_it_does(subject: BinderSubject) -> None:
    """`samples.toml` shows what it does without a file, with a file that has comments or settings of the user, and what it
    refuses."""
    samples, refused = subject.samples.samples, subject.samples.refused
    assert any(sample.before is None for sample in samples), "no sample shows what it does without a file"
    own = [sample for sample in samples if sample.before and sample.before.strip()]
    assert own, "no sample shows what it does to a configuration that is there"
    assert refused, "no sample shows what it refuses"


def _texts(subject: BinderSubject) -> list[str | None]:
    return [None, *(sample.before for sample in subject.samples.samples if sample.before is not None)]


@rule(RULES, SECTION, fix="look for what you wrote the last time, and replace it in its place", needs="files")
def binds_once(subject: BinderSubject) -> None:
    """Binding again changes nothing."""
    for text in _texts(subject):
        edited = subject.binder.edit(text, HERE)
        assert _edit(subject.binder, edited) == edited, "the second time it changes its own work"


@rule(RULES, SECTION, fix="replace address, key and model wherever the last binding put them", needs="files")
def follows_the_gateway(subject: BinderSubject) -> None:
    """Binding to another address, key and model leaves nothing of the old ones behind."""
    for text in _texts(subject):
        edited = _edit(subject.binder, subject.binder.edit(text, HERE), THERE)
        for part in _parts(subject.binder, THERE):
            assert part in edited, f"{part!r} is not there after it was bound again"
        was_there = HERE.root in (text or "")
        assert was_there or HERE.root not in edited, "the old address is still there"


@rule(RULES, SECTION, fix="keep each line's own end, and the byte order mark, by editing in place")
def keeps_what_is_not_its_own(subject: BinderSubject) -> None:
    """Everything that is not the binder's stays: other lines, their order, their indentation, and CR LF at their ends."""
    for sample in subject.samples.samples:
        if not sample.before:
            continue
        edited = _edit(subject.binder, sample.before)
        ours = set(sample.before.splitlines()) - set(sample.after.splitlines())
        kept = [line for line in sample.before.splitlines() if line.strip() and line not in ours]
        found = iter(edited.splitlines())
        for line in kept:
            assert any(line == other for other in found), f"the line {line!r} is gone, or in another place"
        dos = sample.before.replace("\r\n", "\n").replace("\n", "\r\n")
        as_dos = _edit(subject.binder, dos)
        stray = [line for line in as_dos.split("\r\n") if "\n" in line or "\r" in line]
        assert "\r\n" not in dos or not stray, f"in a file with CR LF it writes other line ends: {stray[:1]}"


@rule(RULES, SECTION, fix="let core write the file; `edit` must be a function of the text alone", needs="files")
def is_undone_to_the_byte(subject: BinderSubject) -> None:
    """After binding and undoing through real files, a configuration is the same, byte for byte. A file that did not exist is
    removed."""
    for text in _texts(subject):
        with tempfile.TemporaryDirectory(prefix="freeride-conformance-") as folder:
            home = Path(folder)
            path = subject.binder.path(subject.binder.scopes[0], home, home)
            before = None if text is None else text.replace("\n", "\r\n").encode()
            if before is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(before)
            backups = Backups(home / "freeride")
            change = plan_binding(subject.binder, HERE, path)
            if not change.is_needed:
                continue
            backups.apply(change, subject.binder, HERE)
            assert path.read_bytes() != before, "nothing was written"
            backups.undo(backups.plan_undo(path, force=False))
            after = path.read_bytes() if path.exists() else None
            assert after == before, f"after the undo it holds {after!r}"


@rule(RULES, SECTION, fix="raise `Unreadable` for a text that is not in the agent's own format")
def refuses_what_it_cannot_read(subject: BinderSubject) -> None:
    """A text that it cannot parse is refused and stays as it is: nonsense, and the refused samples of `samples.toml`."""
    for text in (*_NONSENSE, *(refused.text for refused in subject.samples.refused)):
        refusal = _refusal(subject.binder, text)
        assert refusal is not None, f"{text!r} was taken for a configuration"
        assert refusal, f"it refuses {text!r} without a word"


def _refusal(binder: Binder, text: str) -> str | None:
    try:
        _edit(binder, text)
    except Unreadable as error:
        return str(error)
    return None


@rule(
    RULES,
    SECTION,
    fix="give in `models` every id that the agent will ask the gateway for, as the gateway will see it",
    needs="files",
)
def names_models_that_resolve(subject: BinderSubject) -> None:
    """Every model id that the bound agent asks for resolves at a real gateway, including the one that it was bound with."""
    origin = PluginOrigin(
        "provider", second_provider.NAME, "freeride-provider-partner", "0", "freeride_conformance.second_provider", ()
    )
    with Rig(ProviderSubject(second_provider.PROVIDER, second_provider.PROFILE, origin)) as rig:
        for text in _texts(subject):
            for endpoint in (HERE, THERE):
                edited = _edit(subject.binder, text, endpoint)
                models = subject.binder.models(edited, endpoint)
                assert endpoint.model in models, (
                    f"bound with {endpoint.model}, it says that the agent asks for {models}"
                )
                elsewhere = Endpoint("http://127.0.0.1:9")
                assert not subject.binder.models(edited, elsewhere), (
                    f"bound to {endpoint.root}, it says that it asks elsewhere"
                )
                for model in models:
                    status = rig.get(f"/v1/models/{model}").status
                    assert status == 200, f"the gateway does not know the model {model!r}: {status}"


@rule(
    RULES,
    SECTION,
    fix="give in `launch` the program, with address, key and model of the endpoint, the key not by an argument, and `{files}` "
    "where the agent is told of its files",
    needs="launch",
)
def starts_it_bound(subject: BinderSubject) -> None:
    """One process of the agent gets the gateway's address, the model, and the key where no other user sees it. If that takes
    files, it gets their path."""
    for endpoint in (HERE, THERE):
        launch = subject.binder.launch(endpoint)
        assert launch is not None, f"it cannot launch the agent for a gateway at {endpoint.root}"
        assert launch.program.strip(), "it names no program"
        told = [*launch.environment.values(), *launch.arguments]
        for part in (endpoint.root, endpoint.model):
            assert any(part in text for text in (*told, *launch.files.values())), (
                f"{part!r} is neither in the environment nor in the arguments nor in a file"
            )
        shown = [text for text in (launch.program, *launch.arguments) if endpoint.key in text]
        assert not shown, f"the key is shown to every user of the machine: {shown}"
        for name in launch.files:
            assert PureWindowsPath(name).name == name, f"{name!r} is no plain name of a file"
            assert any(FILES in text and name in text for text in told), (
                f"no variable or argument tells the agent where {name!r} is"
            )
        assert launch.files or not any(FILES in text for text in told), f"it says {FILES!r} and has no file"
