"""The panel: the live tree of a session, and the buttons that steer it."""
