# SPDX-License-Identifier: Apache-2.0
"""Log lines as every host writes them; the kernel appends them to log/NAME.log."""

import datetime
import logging
import os
import sys


class Formatter(logging.Formatter):
    """`2026-11-24T15:04:05.123Z warning NAME: text`, one line whatever the text holds."""

    def format(self, record):
        when = datetime.datetime.fromtimestamp(record.created, datetime.timezone.utc)
        text = record.getMessage()
        if record.exc_info:
            text += " " + where(record.exc_info[1])
        text = text.encode("unicode_escape").decode() if not text.isprintable() else text
        return (f"{when:%Y-%m-%dT%H:%M:%S}.{when.microsecond // 1000:03d}Z "
                f"{record.levelname.lower()} {record.name}: {text}")


def _file(name):
    """The script is run from a descriptor; CAIRN_SCRIPT is its name."""
    if name.startswith("/proc/self/fd/") and name.count("/") == 4:
        return os.environ.get("CAIRN_SCRIPT", name)
    return name.rsplit("/", 1)[-1]


def where(error):
    """Kind and place of an exception, without its words: they may hold what was being handled."""
    frames, trace = [], error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        frames.append(f"{_file(code.co_filename)}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return f"[{type(error).__name__} at {' > '.join(frames[-4:]) or '?'}]"


def logger(name):
    log = logging.getLogger(name)
    if not log.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(Formatter())
        log.addHandler(handler)
        log.setLevel(logging.INFO)
        log.propagate = False
    return log
