"""HTTP: the connections of both sides, and the bytes on them.

In reading order:

- `listener`: a client's connection
- `server_exchange`: one request and response on it
- `request_body`: the body of the request, until it is read
- `write_batch`: writes joined to one system call
- `connection_limit`: how many clients are connected at most
- `budget`: how many bytes of bodies are held at most
- `aside`: work on large bodies, in a thread of its own
- `upstreams`: requests to upstreams
- `pool`: kept connections to one origin
- `addresses`: which of a host's addresses answers first
- `upstream_connection`: one connection to an upstream
- `proxies`: which proxy leads to an upstream
- `proxied`: requests by way of a proxy
- `via`: the gateways that a request has passed
- `upstream_response`: an upstream's response
- `upstream_headers`: header fields of a response, decoded where they are read
- `relayed_headers`: which of them the client gets
- `encoding`: gzip and deflate, undone in bounded pieces
- `sse`: server-sent events: their ends and their data
- `stream_scanner`: what is noticed of a stream while it is relayed
- `usage_events`: events that count tokens, withheld from clients that did not ask for them
- `body_buffer`: a body of unknown size, as far as it has arrived
- `deadline`: one timer for a limit that moves
- `notice`: one line for people on what goes on for a while
- `errors`: what can go wrong

Imports the front room and `system`.
"""
