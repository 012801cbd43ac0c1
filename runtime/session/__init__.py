"""The session: a bundle that answers. Knows no sockets; `open_session` makes one."""

from runtime.session.local import LocalSession, open_session

__all__ = ["LocalSession", "open_session"]
