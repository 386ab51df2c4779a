"""Words with which languages other than English state answers."""
