"""Telemetry: a few counts, which the user was shown before the first of them is sent.

In reading order:

- `counts`: what is counted, in `telemetry.json`
- `beacon`: what is sent, once an hour

Imports `plugins`, `events`, `settings`, the front room and `system`.
"""
