"""What every web application here has: access, headers, errors, the server."""
