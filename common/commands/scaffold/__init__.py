"""What `kit new` writes, per task: files filled in from what lies in the data folder."""
