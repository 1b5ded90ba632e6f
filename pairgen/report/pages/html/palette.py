"""The colors of the page, in light and in dark: text has a contrast of at least 4.5 to 1 on its background.

What differs between chosen and rejected, or between a fall and a rise, is blue or orange, which color-blind readers can
tell apart; lines, signs or numbers say the same without color.
"""

LIGHT = {
    "paper": "#fcfcfa",
    "panel": "#f4f3ef",
    "ink": "#1c1c1a",
    "muted": "#5f5e59",
    "rule": "#dcdad3",
    "link": "#1b5c9e",
    "chosen": "#dcebf8",
    "chosen-line": "#1f6cb0",
    "rejected": "#fde6d2",
    "rejected-line": "#b4530d",
    "fall-1": "#fdeee0",
    "fall-2": "#fbd6b3",
    "fall-3": "#f5ae72",
    "fall-4": "#e5823a",
    "same": "#f0efeb",
    "rise-1": "#e6f0f9",
    "rise-2": "#c3dcf1",
    "rise-3": "#8dbde6",
    "rise-4": "#539ad6",
    "grid": "#e6e5e0",
    "axis": "#5f5e59",
    "band": "#d9d9d9",
}

DARK = {
    "paper": "#15161a",
    "panel": "#1d1f24",
    "ink": "#e9e7e2",
    "muted": "#a5a39c",
    "rule": "#36383f",
    "link": "#86b9ec",
    "chosen": "#1a3550",
    "chosen-line": "#6aaeea",
    "rejected": "#4a2c14",
    "rejected-line": "#f0995a",
    "fall-1": "#33261b",
    "fall-2": "#52341b",
    "fall-3": "#77420f",
    "fall-4": "#9a5108",
    "same": "#26282e",
    "rise-1": "#1d2b39",
    "rise-2": "#1c3f5f",
    "rise-3": "#1a5285",
    "rise-4": "#1964a8",
    "grid": "#2c2e34",
    "axis": "#a5a39c",
    "band": "#3a3c43",
}

TEXT_ON = {
    "ink": (
        "paper",
        "panel",
        "chosen",
        "rejected",
        "same",
        *(f"{way}-{at}" for way in ("fall", "rise") for at in range(1, 5)),
    ),
    "muted": ("paper", "panel"),
    "link": ("paper", "panel"),
    "chosen-line": ("paper", "panel"),
    "rejected-line": ("paper", "panel"),
}
"""By color of text, the backgrounds that it is shown on."""


def contrast(one: str, other: str) -> float:
    """The contrast of two colors such as ``#1c1c1a``, from 1 to 21.

    Source: Web Content Accessibility Guidelines 2.2, "contrast ratio" and "relative luminance".
    """
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(color: str) -> float:
    channels = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def variables() -> str:
    """The colors as variables of CSS: the light ones, and the dark ones for readers who prefer them."""
    light, dark = (";".join(f"--{name}:{color}" for name, color in colors.items()) for colors in (LIGHT, DARK))
    return f":root{{color-scheme:light dark;{light}}}@media(prefers-color-scheme:dark){{:root{{{dark}}}}}"
