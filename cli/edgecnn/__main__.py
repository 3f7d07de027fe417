"""`python -m edgecnn`."""

from edgecnn.app import main

if __name__ == "__main__":
    main()
