"""What a machine is, as far as a stack asks: this one (`here`), or one that is only described."""

from reprokit.stacks.machine import Card, Machine

__all__ = ["Card", "Machine"]
