"""Serving one machine: Prefect's server, a worker, a look for work, and what watches all of it."""
