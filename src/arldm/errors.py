"""What can go wrong, as seen by the one who called.

    ArldmError
    ├── ScriptError     a script or story file cannot be understood
    ├── PictureError    a picture is missing, broken, too large or not a picture
    ├── CaptionError    a caption is longer than the model reads
    ├── ModelError      a model folder is incomplete, altered or of another version
    ├── DatasetError    a published corpus is incomplete, broken or hostile
    ├── OutputError     the output folder is taken, read-only or the disk is full
    ├── SurveyError     a human study or its votes are incomplete, altered or of another study
    ├── ConfigError     an option has a value that cannot be
    └── ProcessError    another process of the same run has gone

Every message is one line: what was got, what was expected, what to do. The command prints it and exits with 2.
"""

#: what parsing a file raises that is broken, altered or hostile: brackets nested too deep are a RecursionError, a RuntimeError
BROKEN = (OSError, ValueError, LookupError, TypeError, AttributeError, RuntimeError)


def said(error: BaseException) -> str:
    """The first line of what an error of a library says, for a message of ours."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:160]


class ArldmError(Exception):
    """Anything a user can mend; never a fault of the program itself."""


class ScriptError(ArldmError):
    """A script or story file cannot be understood."""


class PictureError(ArldmError):
    """A picture is missing, broken, too large or not a picture."""


class CaptionError(ArldmError):
    """A caption is longer than the model reads."""


class ModelError(ArldmError):
    """A model folder is incomplete, altered or of another version."""


class DatasetError(ArldmError):
    """A published corpus is incomplete, broken or hostile."""


class OutputError(ArldmError):
    """The output folder is taken, read-only or the disk is full."""


class SurveyError(ArldmError):
    """A human study or its votes are incomplete, altered or of another study."""


class ConfigError(ArldmError):
    """An option has a value that cannot be."""


class ProcessError(ArldmError):
    """Another process of the same run has gone."""
