"""`python -m training.cli`: the command line from a source tree that is not installed."""

from training.cli import main

if __name__ == "__main__":
    main()
