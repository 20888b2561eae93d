"""A binder that keeps every promise: what is broken about it in one way at a time, to see that the suite notices."""

from __future__ import annotations

from pathlib import Path

from freeride_core import Binder, Endpoint, Launch, OtherModel, Place, Unreadable, hookimpl

OURS = ("base", "key", "model")
STALE = ("protocol=old", "denied=freeride")


class SpecimenBinder(Binder):
    """Binds an agent whose configuration is lines of `name=value`."""

    api_version = 1
    name = "specimen"
    title = "Specimen"
    homepage = "https://specimen.invalid"
    merges = True
    overruled_by = ("SPECIMEN_MODEL",)
    client_names: tuple[str, ...] = ("specimen",)
    shared_client_names: tuple[str, ...] = ("python-httpx",)

    def path(self, scope: Place, home: Path, cwd: Path) -> Path:
        return home / ".specimen"

    def other_paths(self, scope: Place, home: Path, cwd: Path) -> tuple[Path, ...]:
        return (home / ".specimen.local",)

    def outranking_paths(self, scope: Place, home: Path, cwd: Path) -> tuple[Path, ...]:
        return (cwd / ".specimen.project",)

    def retired_paths(self, scope: Place, home: Path, cwd: Path) -> tuple[Path, ...]:
        return (home / ".specimen.old",)

    def edit(self, text: str | None, endpoint: Endpoint) -> str:
        values = dict(zip(OURS, (endpoint.root, endpoint.key, endpoint.model), strict=True))
        end = "\r\n" if "\r\n" in (text or "") else "\n"
        lines = []
        for line in (text or "").splitlines():
            name, equals, _ = line.partition("=")
            if line.strip() and not line.startswith("#") and not equals:
                raise Unreadable(f"a line without =: {line!r}")
            if line in STALE:
                continue
            lines.append(f"{name}={values.pop(name)}" if name in values else line)
        return end.join([*lines, *(f"{name}={value}" for name, value in values.items())]) + end

    def models(self, text: str, endpoint: Endpoint) -> tuple[str, ...]:
        lines = text.splitlines()
        if f"base={endpoint.root}" not in lines:
            return ()
        return tuple(line.removeprefix("model=") for line in lines if line.startswith("model="))

    def other_models(self, text: str, endpoint: Endpoint) -> tuple[OtherModel, ...]:
        pairs = [line.partition("=")[::2] for line in text.splitlines() if not line.startswith("#")]
        return tuple(OtherModel(name, value) for name, value in pairs if name.startswith("side."))

    def launch(self, endpoint: Endpoint) -> Launch | None:
        names = (f"SPECIMEN_{name.upper()}" for name in OURS)
        values = (endpoint.root, endpoint.key, endpoint.model)
        return Launch(program=self.name, environment=dict(zip(names, values, strict=True)))


@hookimpl
def freeride_register_binder() -> Binder:
    return SpecimenBinder()
