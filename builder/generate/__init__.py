"""From a configuration to a finished build."""
