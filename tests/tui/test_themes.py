"""The themes: every text can be read on every background, in true colour and in 256 colours."""

from __future__ import annotations

import pytest
from rich.color import Color as RichColor
from rich.color import ColorSystem
from textual.color import Color

from tests.tui.conftest import MakeApp
from zwizard.tui.format import COLOURS, MUTED
from zwizard.tui.themes import THEMES

TEXTS = {*COLOURS.values(), MUTED, "$foreground", "$text-muted"}
BACKGROUNDS = (
    *("background", "surface", "panel"),
    *("surface-lighten-1", "primary-muted"),  # the selected row, without and with the focus
    *("error-muted", "success-muted"),  # the results of a job
)


def as_256(colour: Color) -> Color:
    """The colour that a terminal of 256 colours shows instead."""
    return Color(*RichColor.from_rgb(*colour.rgb).downgrade(ColorSystem.EIGHT_BIT).get_truecolor())


def luminance(colour: Color) -> float:
    """The relative luminance of WCAG 2.2."""
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (value / 255 for value in colour.rgb)
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: Color, other: Color) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("depth", [lambda colour: colour, as_256], ids=["true-colour", "256"])
@pytest.mark.parametrize("theme", [theme.name for theme in THEMES])
def test_every_text_keeps_its_contrast(make_app: MakeApp, theme: str, depth: object) -> None:
    assert callable(depth)
    app = make_app()
    app.theme = theme
    variables = app.get_css_variables()
    poor = {}
    for place in BACKGROUNDS:
        background = Color.parse(variables[place])
        for name in TEXTS:
            text = background + Color.parse(variables[name.removeprefix("$")])
            ratio = contrast(depth(text), depth(background))
            if ratio < 4.5:
                poor[place, name] = round(ratio, 1)
    assert not poor
