"""`freeride demo`: simulated providers, a real gateway, and a failover to watch.

In reading order:

- `scenario`: what happens, in which order
- `environment`: the simulators and the gateway
- `ask`: one request, and what the events say of it
- `format`: words and signs
- `screen`: plain lines, or JSON
- `live`: a terminal that is redrawn

Imports everything but `cli`.
"""
