"""Adopting a repository that knows nothing of us: what its files say -> a config, requirements and a stack."""
