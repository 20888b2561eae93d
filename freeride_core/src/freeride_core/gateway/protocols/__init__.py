"""Client protocols: what a client sends and expects, decoded into a call and encoded again.

In reading order:

- `request`: a request body of the OpenAI API, decoded once and shallowly
- `errors`: error bodies that the official SDKs understand
- `keep_alive`: comments that keep a waiting stream open

Imports the front room and `system`.
"""
