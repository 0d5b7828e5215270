"""The hook: what happens inside the training's own Python processes, without a line in its scripts.

`begin` runs at their start and watches imports, `seeds` sets what a library draws from as it comes
in, `observe` tells at the end what was really in force. Every failure is noted and none reaches the
training.
"""
