# SPDX-License-Identifier: Apache-2.0
"""The load profile; see README.md."""
import argparse
import sys
from pathlib import Path


def main():
    parser = argparse.ArgumentParser(prog="tests/load/run", description="Load on private services of this machine, with a report.")
    mode = parser.add_mutually_exclusive_group(required=True)
    mode.add_argument("--nightly", action="store_true", help="a night at full size: 10,000 groups, three of them of 1,000,000 users")
    mode.add_argument("--quick", action="store_true", help="the same with 300 groups: does it work at all")
    mode.add_argument("--soak", action="store_true", help="a steady flow: are memory, handles and threads flat")
    parser.add_argument("--minutes", type=float, default=30, help="of --soak (default 30)")
    parser.add_argument("--report", type=Path, default=Path("build/load"), help="folder of the report (default build/load)")
    given = parser.parse_args()
    if given.soak:
        from . import soak
        return soak.main(given.minutes, given.report)
    from . import night
    return night.main("nightly" if given.nightly else "quick", given.report)


if __name__ == "__main__":
    sys.exit(main())
