"""``python -m didjack`` is the command ``didjack``."""

from didjack.command.entry import main

if __name__ == "__main__":
    main()
