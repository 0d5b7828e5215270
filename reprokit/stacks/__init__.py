"""What an environment should be: stacks, their locks, and where packages come from."""
