"""What a study declares, records and concludes."""
