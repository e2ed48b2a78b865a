"""`python -m common COMMAND`: the command line, as torchrun starts it."""

import os

from common.cli import main

if __name__ == "__main__":
    # Before torch is imported: DDP would complain once per process of find_unused_parameters.
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    main()
