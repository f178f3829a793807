"""What people and machines reach over HTTP: the status page, its JSON twins, health, metrics, scoring."""

from daemon.web.app import BEAT_LIMIT, WebService, create_app
from daemon.web.server import WebServer

__all__ = ["BEAT_LIMIT", "WebServer", "WebService", "create_app"]
