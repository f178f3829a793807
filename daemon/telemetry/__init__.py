"""What the service tells machines while it runs: Prometheus series and structured logs.

The only folder that imports prometheus_client.
"""

from typing import TYPE_CHECKING, Any

from daemon.telemetry.logs import configure_logs

if TYPE_CHECKING:
    from daemon.telemetry.metrics import Telemetry

__all__ = ["Telemetry", "configure_logs"]


def __getattr__(name: str) -> Any:
    """Telemetry, when it is asked for: every command logs, but most show no series and need not pay for them."""
    if name == "Telemetry":
        from daemon.telemetry.metrics import Telemetry

        return Telemetry
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
