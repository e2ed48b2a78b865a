"""One folder per competition: this is what a person forks and edits."""
