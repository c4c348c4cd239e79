"""The report: one page to look at, made of the views alone."""
