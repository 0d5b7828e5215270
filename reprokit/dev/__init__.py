"""The dev container: a run's environment with a person's tools, and the source mounted to be edited."""
