"""Finds traces of a sealed table in whatever was heard: messages of any type, errors, text, files.

    traces = Traces(); traces.number(0.9223928860145514, "accuracy of seed 1"); traces.text("zanzibar", "a cell")
    traces.find(message)      # ["result.score = 0.92239…: accuracy of seed 1"]
"""

import re

import numpy

NUMBER = re.compile(r"(?<![\w.])-?\d+(?:[ ,]\d{3})*(?:\.\d+)?(?:[eE][-+]?\d+)?(?![\w]|\.\d)")
HEX = re.compile(r"-?0x[0-9a-f](?:\.[0-9a-f]+)?p[-+]?\d+")
NOISE = re.compile(r"\b(?:pid|port)=\d+|\d{4}-\d\d-\d\dT[\d:.]+Z|127\.0\.0\.1:\d+")


def _key(value):
    """The same for numbers that agree in 12 digits."""
    return f"{value:.11e}"


def is_plain(value, denominator_max=300):
    """Whether a number may well be something else: a ratio of small numbers."""
    denominators = numpy.arange(1, denominator_max + 1)
    return bool(numpy.any(numpy.abs(value * denominators - numpy.round(value * denominators)) < 1e-9))


class Traces:
    def __init__(self):
        self._numbers, self._texts, self._ranges, self._share_of = {}, {}, [], []

    def number(self, value, what):
        self._numbers[_key(value)] = what

    def text(self, value, what):
        self._texts[value] = what

    def between(self, low, high, what):
        self._ranges.append((low, high, what))

    def shares_of(self, rows, what):
        """k/rows for 0 < k < rows. `rows` is a prime above 1000, so that none of them is a short decimal or a share of less."""
        self._share_of.append((rows, what))

    def find(self, heard):
        """What was found, a line each."""
        if isinstance(heard, str):
            return self._in_text("text", heard)
        if isinstance(heard, bytes):
            return self._in_bytes("file", heard)
        if hasattr(heard, "said"):
            return self._in_text("error", heard.said()) + self._in_bytes("details", heard.details)
        return self._in_message("", heard)

    def _in_message(self, path, message):
        found = []
        for field, value in message.ListFields():
            where = f"{path}{field.name}"
            if field.message_type is not None and field.message_type.GetOptions().map_entry:
                found += self._in_text(where, str(dict(value)))
                continue
            for each in value if field.label == field.LABEL_REPEATED else [value]:
                found += self._in_value(where, each)
        return found

    def _in_value(self, where, value):
        if isinstance(value, bool):
            return []
        if isinstance(value, (int, float)):
            return self._in_number(where, value)
        if isinstance(value, str):
            return self._in_text(where, value)
        if isinstance(value, bytes):
            return self._in_bytes(where, value)
        return self._in_message(where + ".", value)

    def _in_number(self, where, value):
        found = [what for low, high, what in self._ranges if low <= value <= high]
        for rows, what in self._share_of:
            share = value * rows
            if 0 < value < 1 and abs(share - round(share)) < 1e-9:
                found.append(what)
        if _key(value) in self._numbers:
            found.append(self._numbers[_key(value)])
        return [f"{where} = {value!r}: {what}" for what in found]

    def _in_text(self, where, text):
        found = [f"{where} has {value!r}: {what}" for value, what in self._texts.items() if value in text]
        clean = NOISE.sub(" ", text)
        for digits in NUMBER.findall(clean):
            found += self._in_number(where, float(re.sub("[ ,]", "", digits)))
        for digits in HEX.findall(clean):
            found += self._in_number(where, float.fromhex(digits))
        return found

    def _in_bytes(self, where, data):
        found = self._in_text(where, data.decode("latin-1"))
        for offset in range(8):  # doubles as they are in memory
            count = (len(data) - offset) // 8
            if count <= 0:
                break
            values = numpy.frombuffer(data, "<f8", count, offset)
            for value in values[(numpy.abs(values) > 1e-3) & (numpy.abs(values) < 1e6)]:
                found += self._in_number(where, float(value))
        return found
