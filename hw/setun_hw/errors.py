"""Errors that are the user's to mend: each prints as one sentence and ends with status 2."""


class SetunError(Exception):
    """Something the user named cannot be used; the text is one clear sentence."""


class ConfigError(SetunError):
    """An impossible or unreadable configuration."""
