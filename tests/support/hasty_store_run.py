"""cotbuild with the times of stores cut short: segments after a moment, brief leases.

python tests/support/hasty_store_run.py generate --out s3://bucket/path …
"""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / ".ns"))

from cotbuild.builder.cli.app import main
from cotbuild.builder.cloud import build_lease, journals

LEASE_S = float(os.environ.get("HASTY_LEASE_S", "4"))

if __name__ == "__main__":
    journals.SHIP_EVERY_S = 0.2
    journals._LOOK_EVERY_S = 0.1
    build_lease.LEASE_S = LEASE_S
    main()
