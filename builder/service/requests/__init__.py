"""What requests may hold, and what it is on this machine."""
