"""Events: what the gateway tells about its work, for observers, for a log file, and for people.

In reading order:

- `usage`: the tokens that an upstream reports, read in one place
- `records`: one record a kind, with the members of docs/events.md
- `bus`: takes events on the request path, and hands them on off it
- `log`: the file of JSON lines, with one backup
- `follower`: reads that file while other processes write it
- `tail`: the last events of that file
- `rendering`: one event as one line for people
- `request_lines`: one request as one line for people

Imports `privacy`, the front room and `system`.
"""
