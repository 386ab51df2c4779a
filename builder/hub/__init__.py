"""The only door to the Hugging Face Hub: datasets read, releases written and fetched."""
