"""The console output of a run: short lines, and little before the first figures. The log file has everything."""
import copy
import logging

LONG = 20  # lines
# the beginnings of mmengine's texts before a run
FILE_ONLY = ('System environment', 'Config:', 'Hooks will be executed in the following order', 'paramwise_options -- ',
             'Distributed training is not used', 'Checkpoints will be saved to', 'Exp name: ',
             # warnings of mmengine about classes that mmengine itself uses
             '"FileClient" will be deprecated', '"HardDiskBackend" is the alias')


class TwoTexts(str):
    """A text of the log file, with a shorter one for the console."""
    short: str

    def __new__(cls, text: str, short: str) -> 'TwoTexts':
        texts = super().__new__(cls, text)
        texts.short = short
        return texts


class ConsoleFormatter(logging.Formatter):
    """Formats records as another formatter does, after it has shortened information; warnings stay whole.

    Args:
        inner (logging.Formatter): of the console.
        log_file (str): the file that has the whole text.
    """

    def __init__(self, inner: logging.Formatter, log_file: str) -> None:
        super().__init__()
        self.inner, self.log_file = inner, log_file

    def format(self, record: logging.LogRecord) -> str:
        if record.levelno <= logging.INFO:
            record = self.shortened(record)
        return self.inner.format(record)

    def shortened(self, record: logging.LogRecord) -> logging.LogRecord:
        """The record itself, or a copy with a shorter message."""
        if isinstance(record.msg, TwoTexts):
            short = record.msg.short
        else:
            lines = [line for line in record.getMessage().splitlines() if line.strip(' -')]
            if len(lines) <= LONG:
                return record
            short = f'{lines[0].rstrip(": ")}: {len(lines)} lines in {self.log_file}'
        record = copy.copy(record)
        record.msg, record.args = short, ()
        return record


def is_for_console(record: logging.LogRecord) -> bool:
    """Whether a record doesn't begin as one of ``FILE_ONLY``, or is an error."""
    return record.levelno > logging.WARNING or not record.getMessage().lstrip(' -\n').startswith(FILE_ONLY)


def shorten_console(logger: logging.Logger) -> None:
    """Lets the console of a logger print short lines, if the logger also writes a file.

    The texts of ``FILE_ONLY`` go to the file alone.
    """
    files = [handler for handler in logger.handlers if isinstance(handler, logging.FileHandler)]
    if not files:
        return
    for handler in logger.handlers:
        inner = handler.formatter
        if isinstance(handler, logging.StreamHandler) and not isinstance(handler, logging.FileHandler) and \
                inner is not None and not isinstance(inner, ConsoleFormatter):
            handler.setFormatter(ConsoleFormatter(inner, files[0].baseFilename))
            handler.addFilter(is_for_console)
