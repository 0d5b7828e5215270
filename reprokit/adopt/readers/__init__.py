"""One file format a module: text -> a `Reading`. Pure: no disk, no network, nothing executed."""
