"""The report of a study: page, plots, tables."""
