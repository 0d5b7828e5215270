"""What a kit puts first on the path of every Python of a training; see `sitecustomize.py`."""
