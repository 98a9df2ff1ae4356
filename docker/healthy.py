"""Exit code 0 when the witness of this container does its work, 1 when it does not.

Asks its page of metrics; WITNESS_HEALTHY names another address than the usual one.
"""

import os
import sys
from urllib.error import URLError
from urllib.request import urlopen

URL = "http://127.0.0.1:9464/-/healthy"
PATIENCE_S = 4

try:
    with urlopen(os.environ.get("WITNESS_HEALTHY", URL), timeout=PATIENCE_S) as answer:
        sys.stdout.write(answer.read().decode())
except (URLError, OSError, ValueError) as error:
    sys.exit(f"not healthy: {error}")
