"""`python -m billing_assets`: the command line."""

from billing_assets.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
