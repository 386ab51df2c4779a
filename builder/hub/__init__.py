"""The Hugging Face Hub: names, commits, errors, and repos as release targets."""
