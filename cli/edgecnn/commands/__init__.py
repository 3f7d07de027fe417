"""One file per command; each imports the stage it drives inside its function, so that `--help` stays quick."""
