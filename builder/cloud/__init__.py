"""Object stores as places of builds and releases; obstore is behind `client`."""
