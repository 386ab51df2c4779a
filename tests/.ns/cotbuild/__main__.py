"""`python -m cotbuild` is the command line."""

from cotbuild.builder.cli.app import main

if __name__ == "__main__":
    main()
