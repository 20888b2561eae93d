"""Certifies FreeRide plugins.

Each rule is a function that takes a subject and fails with an AssertionError. The test modules apply every rule to every
installed plugin, over real sockets, through a real gateway.
"""
