"""Ports of this machine that nothing listens on."""

import socket


def free_ports(count: int) -> list[int]:
    """Return so many, all different; another program may take one at any time."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("localhost", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
