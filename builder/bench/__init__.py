"""Measures how fast a teacher answers, by the number of requests in flight."""
