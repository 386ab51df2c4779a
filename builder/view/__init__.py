"""What pages and API show of builds, students and studies, as plain data."""
