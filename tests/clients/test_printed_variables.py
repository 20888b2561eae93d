"""The official packages reach the gateway from the variables that `freeride serve` and `freeride demo` print, and nothing else."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from installation import find_node, install, need
from programs import Program, clean_environ, run
from served_gateway import FREERIDE

need("openai-python")

TOKEN = "a-token-of-more-than-16-letters"
EXPECTED = "ONE_TWO"
ASK = "Join these words with underscores and answer with only the result: ONE TWO"
PYTHON = f"""
import openai
messages = [{{"role": "user", "content": "{ASK}"}}]
print(openai.OpenAI().chat.completions.create(model="auto", messages=messages).choices[0].message.content)
"""
NODE = f"""
const {{ OpenAI }} = require("node:module").createRequire(process.env.CLIENT_FOLDER + "/")("openai");
const messages = [{{ role: "user", content: "{ASK}" }}];
const asked = new OpenAI().chat.completions.create({{ model: "auto", messages }});
asked.then((answer) => console.log(answer.choices[0].message.content));
"""


@pytest.fixture(scope="module", params=["serve", "serve with a token", "demo"])
def printed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    """The variables, by the lines that were printed."""
    environ = clean_environ(tmp_path_factory.mktemp("gateway"))
    if request.param == "demo":
        with Program([*FREERIDE, "demo", "--port", "0"], environ) as demo:
            yield variables_of(demo)
        return
    own = {"FREERIDE_TOKEN": TOKEN} if "token" in request.param else {}
    with Program([*FREERIDE, "simulate", "--all", "--json"], environ) as simulators:
        addresses = json.loads(simulators.wait_for(r"^(\{.*\})$"))["env"]
        with Program([*FREERIDE, "serve", "--port", "0"], environ | addresses | own) as gateway:
            yield variables_of(gateway)


def variables_of(program: Program) -> Mapping[str, str]:
    names = ("OPENAI_BASE_URL", "OPENAI_API_BASE", "OPENAI_API_KEY")
    found = {name: program.wait_for(rf"^ *{name}=(.*)$") for name in names}
    if found["OPENAI_API_KEY"] == "(the value of FREERIDE_TOKEN)":
        found["OPENAI_API_KEY"] = TOKEN
    return found


def test_the_python_package_reaches_the_gateway(
    printed: Mapping[str, str], client_environ: Mapping[str, str], machine_environ: Mapping[str, str]
) -> None:
    install("openai-python", machine_environ)
    ended = run([sys.executable, "-P", "-c", PYTHON], {**client_environ, **printed})
    assert (ended.returncode, ended.stdout.strip()) == (0, EXPECTED), ended.stderr


def test_the_node_package_reaches_the_gateway(
    printed: Mapping[str, str], client_environ: Mapping[str, str], machine_environ: Mapping[str, str], tmp_path: Path
) -> None:
    need("openai-node")
    folder = install("openai-node", machine_environ)
    (tmp_path / "ask.cjs").write_text(NODE, "utf-8")
    ended = run([find_node(), tmp_path / "ask.cjs"], {**client_environ, **printed, "CLIENT_FOLDER": str(folder)})
    assert (ended.returncode, ended.stdout.strip()) == (0, EXPECTED), ended.stderr
