"""Paired measurements of what ReproKit promises about speed: one file a claim, each against a peer or a floor."""
