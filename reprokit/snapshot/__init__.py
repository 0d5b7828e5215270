"""What a run's stack was, as its own probe saw it: reading `snapshot.json` on the host."""
