"""The front doors: command line, deployments and the sandbox."""
