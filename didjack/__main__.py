"""``python -m didjack`` is the command ``didjack``."""

from didjack.cli.entry import main

if __name__ == "__main__":
    main()
