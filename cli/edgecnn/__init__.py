"""The command line of edgecnn: one file a command in `commands/`, nothing but parsing and printing."""
