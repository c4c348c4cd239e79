"""The `busytime` command."""

import gc

# Imports make hundreds of thousands of objects that stay, and Python would look through them 445 times for something to free:
# 0.36 of the 2.6 seconds of processor time that a command which runs a flow takes to begin.
gc.set_threshold(50_000)
