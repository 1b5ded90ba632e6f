"""What each key does: functions of the state, in one table from which the help screen is made as well."""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from pairgen.report.viewer.body import body_lines, revealed, view_height
from pairgen.report.viewer.line_input import ask, ask_filter, typed
from pairgen.report.viewer.marks import BAD, GOOD, Mark
from pairgen.report.viewer.view_state import Request, Search, State, moved, seek, stopped

Act = Callable[[State], State]


class Action(NamedTuple):
    """Keys with the same effect."""

    keys: tuple[str, ...]
    shown: str
    """The keys, as the help names them."""
    about: str
    act: Act
    needs_pair: bool = True
    """Whether it does nothing where the filter leaves no pair."""


def press(state: State, key: str) -> State:
    """The state after a key. What the terminal has to do for it is in ``request``."""
    return revealed(_pressed(replace(state, request=None), key))


def _pressed(state: State, key: str) -> State:
    if state.input is not None:
        return typed(state, key)
    if key in ("escape", "ctrl-c"):
        return _leave(replace(state, message=""), key)
    if state.help is not None:
        return _in_help(state, key)
    action = KEYS.get(key)
    if key.isdecimal() and key.isascii():
        return ask(state, "pair", key) if len(state.order) else state
    if action is None:
        hint = f"the key {key} has no effect; ? lists the keys that have one" if key else state.message
        return replace(state, message=hint)
    if action.needs_pair and not len(state.order):
        return state
    return action.act(replace(state, message=""))


def _leave(state: State, key: str) -> State:
    """Esc and Ctrl-C end what is going on, from the inside out; Ctrl-C then ends the program."""
    if state.help is not None:
        return replace(state, help=None)
    if state.filtering is not None or not state.search.is_complete:
        return stopped(state)
    if key == "ctrl-c":
        return replace(state, request=Request("interrupt"))
    return replace(state, search=Search())


# ---------------------------------------------------------------- moving


def last_scroll(state: State) -> int:
    """The most lines that can be above the screen."""
    return max(0, len(body_lines(state)) - view_height(state.size))


def scrolled(state: State, lines: int) -> State:
    """Scroll down, or up if negative. From the end of a pair the next one follows, and from its top the previous."""
    limit = last_scroll(state)
    if lines > 0 and state.scroll >= limit:
        return _next(state)
    if lines < 0 and state.scroll <= 0:
        before = moved(state, state.at - 1)
        return before if before is state else replace(before, scroll=last_scroll(before))
    return replace(state, scroll=max(0, min(state.scroll + lines, limit)))


def _next(state: State) -> State:
    if state.at + 1 >= len(state.order):
        return replace(state, message="this is the last pair")
    return moved(state, state.at + 1)


def _previous(state: State) -> State:
    if state.at == 0:
        return replace(state, scroll=0, message="this is the first pair")
    return moved(state, state.at - 1)


def _page(state: State, direction: int) -> State:
    return scrolled(state, direction * max(1, view_height(state.size) - 1))


def _fold(state: State) -> State:
    return replace(state, unfolded=not state.unfolded, scroll=0)  # what was on the screen may be gone


def _fold_all(state: State) -> State:
    message = "long texts are shortened" if state.full else "long texts are shown in full"
    return replace(state, full=not state.full, unfolded=False, scroll=0, message=message)


# ---------------------------------------------------------------- search and help


def _seek(direction: int) -> Act:
    def act(state: State) -> State:
        if not state.search.query:
            return replace(state, message="nothing was searched for yet; / starts a search")
        return seek(state, direction)

    return act


def _in_help(state: State, key: str) -> State:
    """Arrows scroll the help, any other key leaves it."""
    lines = {"up": -1, "k": -1, "down": 1, "j": 1, "page up": -10, "page down": 10, "space": 10}.get(key)
    if lines is None:
        return replace(state, help=None)
    return replace(state, help=max(0, min((state.help or 0) + lines, len(HELP) - 1)))


# ---------------------------------------------------------------- marks


def _mark(mark: str) -> Act:
    return lambda state: _request(state, state.mark._replace(mark=mark))


def _request(state: State, mark: Mark) -> State:
    if state.marks is None:
        return replace(state, message="marks are not kept; start with --marks FILE to keep them")
    return replace(state, request=Request("mark", mark=mark))


def _note(state: State) -> State:
    if state.marks is None:
        return _request(state, Mark())
    return ask(state, "note", state.mark.note or "")


# ---------------------------------------------------------------- the table


def _request_of(kind: str) -> Act:
    return lambda state: replace(state, request=Request(kind))


ACTIONS = (
    Action(("right", "l", "tab"), "→  l", "next pair", _next),
    Action(("left", "h"), "←  h", "previous pair", _previous),
    Action(("down", "j"), "↓  j", "scroll down, then the next pair", lambda state: scrolled(state, 1)),
    Action(("up", "k"), "↑  k", "scroll up, then the previous pair", lambda state: scrolled(state, -1)),
    Action(("space", "page down"), "Space", "one screen down, then the next pair", lambda state: _page(state, 1)),
    Action(("b", "page up", "backspace"), "b", "one screen up, then the previous pair", lambda state: _page(state, -1)),
    Action(("g", "home"), "g  Home", "first pair", lambda state: moved(state, 0)),
    Action(("G", "end"), "G  End", "last pair", lambda state: moved(state, len(state.order) - 1)),
    Action((":",), "0-9  :", "go to a pair by its number, or after : by its id", lambda state: ask(state, "pair")),
    Action(("o", "enter"), "o  Enter", "show this pair in full, or shorten it again", _fold),
    Action(("O",), "O", "show every pair in full, or shorten them again", _fold_all),
    Action(
        ("/",), "/", "search in prompt, chosen and rejected; Esc ends it", lambda state: ask(state, "search"), False
    ),
    Action(("n",), "n", "next pair that matches the search", _seek(1)),
    Action(("N",), "N", "previous pair that matches the search", _seek(-1)),
    Action(
        ("f",),
        "f",
        "filter as with --where, several with &; empty: all pairs",
        ask_filter,
        needs_pair=False,
    ),
    Action(("+", "="), "+", "mark as good", _mark(GOOD)),
    Action(("-",), "-", "mark as bad", _mark(BAD)),
    Action(("m",), "m", "write a note", _note),
    Action(("u",), "u", "remove mark and note", lambda state: _request(state, Mark())),
    Action(("?",), "?", "this help", lambda state: replace(state, help=0), needs_pair=False),
    Action(("q",), "q", "quit", _request_of("quit"), needs_pair=False),
    Action(("ctrl-z",), "Ctrl-Z", "suspend", _request_of("suspend"), needs_pair=False),
    Action(("ctrl-l",), "Ctrl-L", "draw the screen again", lambda state: state, needs_pair=False),
)
"""All keys, in the order of the help."""

KEYS = {key: action for action in ACTIONS for key in action.keys}
HELP = [(action.shown, action.about) for action in ACTIONS]
