"""The layers of the ML stack as this very process can see them, bottom up: one gatherer a file.

A gatherer is a module with a `NAME` and a `gather() -> dict`. It may raise: the probe then writes
down why the layer is unknown. It reads as few files as it can, starts no program and imports
nothing heavy, because it runs beside every training (about 0.05 ms for a file, 2 to 5 ms for an
import like `ast` or `ctypes`).
"""
