"""The walk: from a call to the first candidate that answers it.

In reading order:

- `enabled`: the providers that have a key, in order
- `routing`: which providers and models may answer, in which order
- `model_names`: the model that is probably meant where none has the name
- `candidate`: one provider, model and key
- `selection`: which candidate is next, by what the ledger knows at that moment
- `room`: what the quotas have left for this request
- `patience`: how long it waits for room
- `walk`: attempt, reaction, next
- `attempt`: one request to one upstream, until it is clear whether it serves
- `time_share`: how much of a request's time an attempt may take
- `hedge`: a second candidate, asked beside one that sends nothing
- `opening`: the start of a stream, held back until it commits
- `outline`: the parts of a large answer that are looked at
- `vectors`: whether an answer has a vector for each input
- `plugin_guard`: what a plugin returned or raised, checked
- `consequences`: what a failure means for the ledger and the rest of the walk
- `settlement`: what a failed attempt counts as
- `reaction`: the one table that says what a failure means
- `outcome`: how a walk ended
- `billing_proofs`: which keys were proven free, where a policy asks for it

Imports `gateway.http`, `ledger`, `settings`, `events`, `privacy`, the front room and `system`.
"""
