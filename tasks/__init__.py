"""Retryable steps: build the adapter, call one core function, return a small value."""
