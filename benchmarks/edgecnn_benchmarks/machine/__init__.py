"""The machine: what it is, what is installed, what really loads, and what is wrong."""
