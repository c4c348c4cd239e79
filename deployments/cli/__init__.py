"""The `busytime` command."""
