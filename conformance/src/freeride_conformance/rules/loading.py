"""What happens when the plugin is loaded, by this core and by others. For providers and binders alike."""

from __future__ import annotations

from packaging.requirements import InvalidRequirement, Requirement

from freeride_conformance.import_check import visit
from freeride_conformance.subject import PluginOrigin
from freeride_core import __version__

SECTION = "Loading"
HEAVY = frozenset(
    (
        *("aiohttp", "anthropic", "asyncio", "boto3", "botocore", "fastapi", "flask", "google", "grpc", "http"),
        *("httpcore", "httptools", "httpx", "multiprocessing", "numpy", "openai", "pandas", "pydantic", "requests"),
        *("socketserver", "ssl", "starlette", "torch", "transformers", "urllib3", "uvicorn", "uvloop", "websockets"),
    )
)
"""Packages that connect, serve or compute: no plugin needs them, and importing them costs more than all plugins together."""
LIGHT_FIX = "import only freeride_core and what is needed to turn values into values; read nothing but package files"
VERSION_FIX = 'state `api_version = 1` as a number of your own, and depend on "freeride-core>=0.5.0,<0.6" or the like'


def check_weight(origin: PluginOrigin) -> None:
    """Loading imports nothing that connects, and touches nothing."""
    seen = visit(origin.kind, origin.entry_point, origin.package, origin.path)
    assert seen.here.status == "ok", f"it does not load: {seen.here.reason}"
    heavy = sorted({name.partition(".")[0] for name in seen.modules} & HEAVY)
    assert not heavy, f"loading it imports {', '.join(heavy)}"
    assert not seen.touched, f"loading it touches {', '.join(sorted(set(seen.touched)))}"


def check_versions(origin: PluginOrigin) -> None:
    """Cores of other versions refuse it, and say what to upgrade; its distribution says which cores it fits."""
    seen = visit(origin.kind, origin.entry_point, origin.package, origin.path)
    assert (seen.older_core.status, "run: " in seen.older_core.reason) == ("broken", True), (
        f"an older core does not refuse it with a command that helps: {seen.older_core.status} {seen.older_core.reason}"
    )
    assert (seen.newer_core.status, "newer" in seen.newer_core.reason) == ("broken", True), (
        f"a core two versions ahead does not refuse it: {seen.newer_core.status} {seen.newer_core.reason}"
    )
    operators = {
        spec.operator for need in _core_requirements(origin.requires) for spec in need.specifier if need.specifier
    }
    assert operators & {">=", "~=", "=="}, f"its distribution names no oldest freeride-core: {list(origin.requires)}"
    assert operators & {"<", "<=", "~=", "=="}, (
        f"its distribution names no newest freeride-core: {list(origin.requires)}"
    )
    assert all(
        need.specifier.contains(__version__, prereleases=True) for need in _core_requirements(origin.requires)
    ), f"it does not want this core, {__version__}"


def _core_requirements(requires: tuple[str, ...]) -> list[Requirement]:
    found = []
    for text in requires:
        try:
            need = Requirement(text)
        except InvalidRequirement:
            continue
        if need.name.lower().replace("_", "-") == "freeride-core":
            found.append(need)
    return found
