"""`busytime demo`: the command, its stage, and the acts of its story."""
