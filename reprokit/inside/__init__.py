"""The only code of ReproKit that runs inside an environment: standard library only, Python 3.7 syntax.

It is mounted or put on a path, never installed, so that it also works in the images of old experiments.
"""
