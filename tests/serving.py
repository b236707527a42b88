"""Servers that tests start: waiting until one answers."""

import subprocess
import time
import urllib.error
import urllib.request


def wait_for(url: str, process: "subprocess.Popen[bytes]") -> str:
    """Return the address of a webserver once it answers."""
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        assert process.poll() is None, "the webserver ended"
        try:
            urllib.request.urlopen(f"{url}/server_info", timeout=5).close()
        except (urllib.error.URLError, OSError):
            # Another process: only the clock can be waited on.
            time.sleep(0.2)
        else:
            return url
    raise TimeoutError("the webserver did not answer")
