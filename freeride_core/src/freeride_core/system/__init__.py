"""The machine: files, programs, addresses, and text of strangers. Knows nothing of FreeRide's own terms.

In reading order:

- `files`: replaced as a whole, or set aside where damaged
- `file_lock`: locks that end with their process
- `ownership`: who can change a file
- `programs`: the programs that a command starts
- `loopback`: what never leaves this machine
- `line_printer`: lines for a terminal that may not take them
- `plain_text`: text of strangers, made safe to show
- `spelling`: the name that was probably meant
- `time_zones`: time zones by name
- `json_values`: JSON of strangers, counted before it is built
- `upgrade`: the commands that upgrade and remove this installation

Imports nothing of the core.
"""
