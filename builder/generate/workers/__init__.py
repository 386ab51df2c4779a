"""A plan on several machines: units of chains that workers lease and ask."""
