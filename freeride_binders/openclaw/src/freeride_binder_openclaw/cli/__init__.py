"""The commands that people know from FreeRide for OpenClaw: one module a command, and each imports its work when it runs."""
