# SPDX-License-Identifier: Apache-2.0
"""The chaos harness: real services, real workers, a seeded driver of faults, and independent readers that judge."""
import sys
from pathlib import Path

CHAOS = Path(__file__).resolve().parents[1]
ROOT = CHAOS.parents[1]
# The independent clients of the integration tests serve here too.
sys.path.insert(0, str(ROOT / "tests/integration"))
