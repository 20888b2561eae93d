"""The user's own files and variables."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path

from freeride_core.plugins.discovery import load_plugins
from freeride_core.settings.advice import check_settings
from freeride_core.settings.keys import read_keys
from freeride_core.settings.resolver import Settings, SettingsError, load_settings
from fuzz.target import Target

_PROVIDERS = load_plugins(("provider",)).providers
_HOME = Path(tempfile.mkdtemp(prefix="freeride-fuzz-"))
_BETWEEN = b"\n====\n"


def _environ(text: bytes) -> dict[str, str]:
    pairs = (line.partition("=") for line in text.decode("utf-8", "surrogateescape").split("\n"))
    environ = {name: value for name, _, value in pairs if name and "\0" not in name + value}
    return {**environ, "FREERIDE_HOME": str(_HOME)}


def _check_settings(settings: Settings) -> None:
    limits = (settings.connect_timeout, settings.answer_timeout, settings.idle_timeout, settings.total_timeout)
    assert all(math.isfinite(limit) and limit > 0 for limit in limits)
    assert settings.max_body > 0
    assert settings.token is None or settings.token.isascii()
    assert settings.home == _HOME
    assert settings.events_path.is_absolute()
    assert "" not in settings.allowed_hosts | settings.allowed_origins
    assert all(isinstance(line, str) for line in check_settings(settings, _PROVIDERS))
    for provider in _PROVIDERS.values():
        settings.free_models(provider)
        keys, warnings = read_keys(provider, settings)
        for key in keys:
            assert key.secret.isascii()
            assert key.secret.isprintable()
            assert " " not in key.secret
            shown = repr(key).replace(key.provider, "").replace(key.variable, "")  # which a key may be called like
            assert key.secret not in shown or len(key.secret) < 8
        assert all("\n" not in warning for warning in warnings)


def check(data: bytes) -> None:
    """Any `.env`, `config.toml` and environment are settings, or an error of one line."""
    dotenv, _, more = data.partition(_BETWEEN)
    toml, _, environ = more.partition(_BETWEEN)
    for name, content in ((".env", dotenv), ("config.toml", toml)):
        (_HOME / name).write_bytes(content)
    try:
        settings = load_settings(_environ(environ))
    except SettingsError as error:
        assert str(error).isprintable(), "an error is one line for people"
    else:
        _check_settings(settings)


TARGET = Target(
    check,
    seeds=tuple(
        _BETWEEN.join(parts)
        for parts in (
            (
                b"GROQ_API_KEY='gsk_abcdefghijklmnop'\nexport FREERIDE_TOKEN=\"tok\" # x\nA=${B}",
                b'providers = ["groq"]\n[keys]\nHF_TOKEN="x"',
                b"FREERIDE_MAX_BODY=5\nFREERIDE_IDLE_TIMEOUT=2.5\nFREERIDE_STAMP_BODY=off",
            ),
            (
                b'OPENROUTER_API_KEY=["sk-or-1234567890","k2"]\nOPENROUTER_API_KEY_2=x y',
                b'connect_timeout = 5\nevents = false\nallowed_hosts = "a, b"',
                b'FREERIDE_GROQ_BASE_URL=http://[::1]:80/v1\nFREERIDE_EVENTS_PATH=~/x\nFREERIDE_GROQ_FREE_MODELS=["a"]\nCI=1',
            ),
            (
                b"CLOUDFLARE_API_TOKEN=abcdefghijkl\nCLOUDFLARE_ACCOUNT_ID=0123",
                b"max_body = 1e400",
                b"FREERIDE_ALLOWED_ORIGINS=https://a.example/",
            ),
        )
    ),
    words=(
        _BETWEEN,
        b"FREERIDE_",
        b"_BASE_URL=",
        b"_FREE_MODELS=",
        b"FREERIDE_TOKEN=",
        b"FREERIDE_MAX_BODY=",
        b"FREERIDE_PROVIDERS=",
        b"GROQ_API_KEY=",
        b"HF_TOKEN_2=",
        b"_TIMEOUT=",
        b"[keys]",
        b'["',
        b"http://",
        b"nan",
        b"1e999",
        b"~nobody/",
        b"\\x00",
        b"CI=",
        b"${",
    ),
)
