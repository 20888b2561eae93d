"""`freeride demo`: a gateway on simulated providers, and the story of a few requests that fail over."""
