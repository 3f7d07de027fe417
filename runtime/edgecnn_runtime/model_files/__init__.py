"""What stands in a model file, read without its interpreter; the file may be anybody's, so every number is checked."""
