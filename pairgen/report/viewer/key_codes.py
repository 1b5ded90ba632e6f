"""The names of keys, from the bytes that a terminal sends for them."""

import codecs
import re

ARROWS = {"A": "up", "B": "down", "C": "right", "D": "left", "H": "home", "F": "end"}
NUMBERED = {"1": "home", "7": "home", "4": "end", "8": "end", "3": "delete", "5": "page up", "6": "page down"}
"""Keys by the letter, or by the number before a tilde, that ends their escape sequence.
Modifiers, as in ``\\x1b[1;5C``, are ignored."""

CONTROLS = {"\r": "enter", "\n": "enter", "\t": "tab", " ": "space", "\x7f": "backspace", "\x08": "backspace"} | {
    "\x01": "home",
    "\x05": "end",
    "\x02": "page up",
    "\x06": "page down",
    **{chr(ord(letter) - 96): f"ctrl-{letter}" for letter in "cluwz"},
}
"""Keys by the control character they send. Ctrl-A, E, B and F move as in a shell and in less."""

_SEQUENCE = re.compile(r"\x1b(?:\[([0-9;?<=>]*)([@-~])|O([@-~]))")
_BEGUN = re.compile(r"\x1b(?:\[[0-9;?<=>]*|O)?\Z")


class Decoder:
    """Splits what a terminal sends into keys. A key that prints a character is that character, except ``space``."""

    def __init__(self) -> None:
        self._characters = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""

    @property
    def is_waiting(self) -> bool:
        """Whether an escape sequence has begun: if nothing follows soon, it was the key Esc."""
        return bool(self._rest)

    def keys(self, data: bytes) -> list[str]:
        """The keys that are complete now."""
        text, found = self._rest + self._characters.decode(data), []
        at = 0
        while at < len(text) and not _BEGUN.match(text, at):
            match = _SEQUENCE.match(text, at)
            found.append(_name(match) if match else _plain(text[at]))
            at = match.end() if match else at + 1
        self._rest = text[at:]
        return [key for key in found if key]

    def flush(self) -> list[str]:
        """What the rest means if nothing follows it."""
        rest, self._rest = self._rest, ""
        return ["escape"] if rest else []


def _plain(character: str) -> str:
    if character == "\x1b":
        return "escape"
    return CONTROLS.get(character, character if character.isprintable() else "")


def _name(match: "re.Match[str]") -> str:
    """The key of an escape sequence; empty for an unknown one."""
    parameters, final, application = match.groups()
    if final == "~":
        return NUMBERED.get(parameters.split(";")[0], "")
    return ARROWS.get(application or final, "")
