"""The Messages API: requests become calls of chat completions, and answers come back in its own form.

In reading order:

- `protocol`: its routes, and what is answered there
- `request`: a request as a call
- `blocks`: what messages consist of
- `conversation`: messages and their blocks, as messages of chat completions
- `tools`: which tools the model is offered
- `thinking`: what of it is shown, and how it comes back
- `models`: names of models, and their list
- `encoder`: an answer, whole or streamed
- `errors`: errors in the words that its clients look for

Imports `events`, `gateway.protocols`, the front room and `system`.
"""
