"""What the service tells machines while it runs: Prometheus series and structured logs.

The only folder that imports prometheus_client.
"""

from daemon.telemetry.logs import configure_logs
from daemon.telemetry.metrics import Telemetry

__all__ = ["Telemetry", "configure_logs"]
