"""What the runtime needs of the operating system: processors, folders, files and processes."""
