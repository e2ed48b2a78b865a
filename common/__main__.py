"""`python -m common COMMAND`: the command line, as torchrun starts it."""

from common.cli import main

if __name__ == "__main__":
    main()
