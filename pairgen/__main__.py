"""``python -m pairgen``."""

from pairgen.cli import main

if __name__ == "__main__":
    main()
