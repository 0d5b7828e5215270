"""ReproKit: pinned environments for deep-learning research, with runs that can be proved again years later."""

__version__ = "0.1.0"
