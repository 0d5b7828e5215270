"""What stands between this machine and a reproducible run: one check a file, and what fixes each.

`checkup.examine` runs them all, `litter` finds and removes what killed commands left behind.
"""
