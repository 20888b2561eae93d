"""The gateway. One request, top down:

`http` (bytes in) -> `routes` -> `access` -> `protocols` (a call) -> `walk` (routing, selection, attempts) -> `relay` ->
`protocols` (its answer) -> `http` (bytes out).

In reading order:

- `server`: runs the gateway under uvicorn
- `app`: what each request is for
- `routes`: which protocol and route a path means
- `unserved`: what is said of a path that is not served
- `access`: which requests are let in
- `origins`: which web pages are let in, and what their browsers are told
- `transaction`: one request of a client, from its body to the last byte of the response
- `relay`: a committed stream, passed on as it comes
- `client`: the client's side of a request: its body, its response, whether it is still connected
- `client_name`: how a client names itself
- `explanation`: what a client is told when no provider answered
- `runtime`: `Gateway`: everything that requests share, and the background work
- `console`: what `freeride serve` says of keys and providers while it runs
- `key_watch`: checks the keys in the background
- `key_verdict`: whether a provider takes a key
- `listing`: the list of models
- `health`: `GET /health`
- `board`: `GET /v1/quota`: what is left of every limit
- `protocols`: what clients speak, one object for each protocol
- `walk`: which candidate is next, and what a failure means
- `http`: connections and bytes

Imports `ledger`, `telemetry`, `plugins`, `settings`, `events`, `privacy`, the front room and `system`. Inside:
`transaction` -> `protocols`, `walk` -> `http`.
"""
