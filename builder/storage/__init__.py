"""Files that survive a crash: journals, the answer store, parquet."""
