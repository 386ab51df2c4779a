"""The wish that a run stops asking. It imports nothing, since each command has one."""


class Drain:
    """The wish that a run stops asking, which a signal may state at any time.

    No further request is sent; those under way are awaited and stored.
    """

    def __init__(self) -> None:
        self.is_requested = False

    def request(self) -> None:
        """Ask for it. Safe in a signal handler and from any thread."""
        self.is_requested = True
