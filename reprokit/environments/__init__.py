"""Making an environment from a lock: a virtual environment (uv) or an image (BuildKit)."""
