"""What is wrong with the data: pure functions over files, frames and hashes."""
