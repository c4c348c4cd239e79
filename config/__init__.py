"""Settings, read once from a file and the environment."""
