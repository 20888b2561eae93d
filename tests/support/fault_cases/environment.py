"""A gateway over an upstream that has a fault, for whoever asks and looks at what comes."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path

from fake_upstream import FakeUpstream, GatewayStage, Script, always, completion, good_stream, provider, reply
from fault_cases.model import TARGET, Fault, FaultTrial
from fault_cases.table import FAULTS

TITLED = {f"{section}: {fault.name}": fault for section, faults in FAULTS.items() for fault in faults}
"""Every fault by its section and name."""
SECOND = "Hello from the second."


def second(fault: Fault) -> Script:
    """What the provider says that stands by."""
    return good_stream(SECOND) if fault.is_stream else reply(200, completion(SECOND))


def trials(fault: Fault, home: Path, *, is_beside: bool) -> Generator[tuple[FaultTrial, GatewayStage], None, None]:
    """Each trial, and a gateway whose `alpha` has the fault in this way, with nothing cooled; `beta` is well, where it
    `is_beside`. Fails where a redirect was followed."""
    names = ("alpha", "beta") if is_beside else ("alpha",)
    with FakeUpstream() as target, ExitStack() as stack:
        stage: GatewayStage | None = None
        for number, trial in enumerate(fault.trials):
            if stage is None or fault.cooled is not None:
                stack.close()
                new = GatewayStage(home / str(number), *map(provider, names), stamp_body=0, **fault.patience)
                stage = stack.enter_context(new)
            if is_beside:
                stage["beta"].answer = always(second(fault))
            stage["alpha"].answer = always(_aimed(trial.script, target))
            ledger = stage.thread.gateway.ledger
            ledger.nonsense.forget("alpha", "double/one")  # each trial is the first of its kind
            ledger.last_until.clear()
            yield trial, stage
            assert target.connections == 0, "a redirect was followed"


def _aimed(script: Script, target: FakeUpstream) -> Script:
    return [step.replace(TARGET.encode(), target.url.encode()) if isinstance(step, bytes) else step for step in script]
