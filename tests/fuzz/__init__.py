"""What must hold for any bytes at all. `tests/fuzz/test_fuzz.py` asks for seconds, `tests/fuzz/run.py` for as long as it is let."""
