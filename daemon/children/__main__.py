"""`python -m daemon.children ROLE`: the child side of `daemon.children.Child`."""

from __future__ import annotations

import sys

from daemon.children.host import Host
from daemon.errors import ConfigurationError, SidwatchError


def main(role: str) -> int:
    """Take the arguments, run the role, end; an error that a person can act on travels as a frame."""
    host = Host.take_over()
    try:
        arguments = host.receive()
        # Each role imports what it needs and no more: a decoder must not cost a torch.
        if role == "inspect":
            from daemon.intake.inspecting import serve
        elif role == "encode":
            from daemon.encoders.worker import serve
        elif role == "poll":
            from daemon.intake.poll_child import serve
        elif role == "train":
            from daemon.learn.train_child import serve
        elif role == "checkpoint":
            from daemon.learn.checkpoint_child import serve
        elif role == "concepts":
            from daemon.explain.embedding import serve
        elif role == "thumbnail":
            from daemon.explain.thumbnail import serve
        elif role == "replay":
            from daemon.backtest.replay_child import serve
        else:
            raise ConfigurationError(f"there is no child role {role!r}")
        serve(host, arguments.header)
    except SidwatchError as error:
        host.send_error(error)
        return error.exit_status
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
