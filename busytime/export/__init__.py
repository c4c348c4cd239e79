"""Exports: the views as files for the data team. The only package that imports pyarrow."""
