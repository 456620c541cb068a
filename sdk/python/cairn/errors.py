# SPDX-License-Identifier: Apache-2.0
"""The codes of cairn/error.h, which also travel on the wire."""

CODES = {
    "EINVAL": -1, "ENOMEM": -2, "EIO": -3, "ENOTFOUND": -4, "EEXIST": -5, "EDENIED": -6,
    "ETIMEOUT": -7, "ECANCELLED": -8, "EUNAVAILABLE": -9, "ELIMIT": -10, "ECORRUPT": -11,
    "EUNSUPPORTED": -12, "EAGAIN": -13, "EPROTO": -14, "EINTERNAL": -15, "EFORBIDDEN": -16,
}
NAMES = {number: name for name, number in CODES.items()}


class Error(Exception):
    """A failure with a code ("ENOTFOUND") and words for a person.  Raised by a handler it becomes
    the answer; raised by call() and put() it is the other side's answer."""

    def __init__(self, code, text=""):
        self.code = code if isinstance(code, str) else NAMES.get(code, "EINTERNAL")
        if self.code not in CODES:
            raise ValueError(f"no such code: {code}")
        self.text = text
        super().__init__(f"{self.code}: {text}" if text else self.code)


class Retry(Exception):
    """Raised by a job handler: the job comes again after a pause."""
