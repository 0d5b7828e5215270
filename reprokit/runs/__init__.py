"""The record of runs: its model, where it is kept, and how the truth about it is found."""
