"""Everything that can go wrong and that a caller may want to tell apart.

SidwatchError            one line that says what to do; carries the exit status
|-- ConfigurationError   78  the configuration, or something it names, is wrong
|   `-- WeightsMissing   78  an encoder's weights cannot be had
|-- BadInputError        65  a manifest, picture, folder or artifact is not what it should be
|   |-- NotFoundError    65  what a name or number points to does not exist; 404 over HTTP
|   `-- ImageRejected    65  one picture; `reason` is from the closed list of intake
|-- TemporaryError       75  try again later
|   |-- StateLocked      75  another process holds the state directory
|   `-- ChampionMoved    75  the champion changed between reading and writing
|-- AnswerIsNo            1  verify failed, the gate rejected
|-- CorruptArtifact      65  a stored file does not match its recorded digest
`-- ChildFailed          75  a child process died, ran over its deadline or its memory
"""

from __future__ import annotations


class SidwatchError(Exception):
    """Base of all errors that are shown to a person as one line."""

    exit_status = 1


class ConfigurationError(SidwatchError):
    """The configuration, or something that it names, is wrong; the message names the key."""

    exit_status = 78


class WeightsMissing(ConfigurationError):
    """An encoder's weights cannot be had; the message names the three ways out."""


class BadInputError(SidwatchError):
    """A manifest, picture, folder or artifact is not what it should be."""

    exit_status = 65


class NotFoundError(BadInputError):
    """What a name or number points to does not exist; the message repeats it and says where the existing ones are."""


class ImageRejected(BadInputError):
    """One picture is not taken in; `reason` is a word from `daemon.model.REASONS`."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class TemporaryError(SidwatchError):
    """Something is busy; the same call may go through later."""

    exit_status = 75


class StateLocked(TemporaryError):
    """Another process holds the state directory; the message names the holder."""


class ChampionMoved(TemporaryError):
    """The champion changed between reading and writing; nothing was written."""


class AnswerIsNo(SidwatchError):
    """The command ran and its answer is no."""

    exit_status = 1


class CorruptArtifact(BadInputError):
    """A stored file does not match the digest recorded for it."""


class ChildFailed(TemporaryError):
    """A child process died, ran over its deadline or used too much memory."""
