"""Privacy: what must never be shown, logged or sent.

In reading order:

- `redaction`: keys and tokens
- `prompt_redaction`: a prompt that an upstream quotes in an error

Imports the front room and `system`.
"""
