"""Client protocols: what a client sends and expects, decoded into a call and encoded again.

In reading order:

- `protocol`: the interface: `ServedProtocol`, one object of each protocol
- `registry`: the protocols of this gateway
- `chat_completions`: the hub; its answers pass through
- `embeddings`: vectors
- `messages`: the Messages API
- `request`: a request body of the OpenAI API, decoded once and shallowly
- `errors`: errors, and how chat completions writes them
- `keep_alive`: what keeps a waiting stream open
- `repair`: any conversation, made what strict upstreams accept
- `steps`: what a model said and did, in order
- `call_queue`: tool calls as they arrive, put into an order in which one is open at a time
- `assembler`: what an upstream answers, turned into steps
- `tool_names`: names of tools, in the spelling that upstreams take
- `token_estimate`: what a prompt takes
- `json_text`: JSON with lone halves of surrogate pairs

Imports `compatible`, `events`, `gateway.http`, the front room and `system`.
"""
