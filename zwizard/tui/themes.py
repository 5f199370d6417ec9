"""The three looks: dark, light, and one of pure colours for eyes and terminals that need it."""

from dataclasses import replace

from textual.theme import BUILTIN_THEMES, Theme

CONTRAST = "high-contrast"

# Dim text and colours keep a contrast of 4.5:1 on every background, also where a terminal of 256
# colours replaces them by the nearest of its own.
THEMES = (
    replace(
        BUILTIN_THEMES["textual-dark"],
        name="dark",
        accent="#5fafff",
        variables={
            **dict.fromkeys(("foreground-muted", "text-muted", "text-disabled"), "#bcbcbc"),
            "text-accent": "#87c7ff",
            "text-success": "#87d787",
            "text-warning": "#ffc473",
            "text-error": "#ffafaf",
            "primary-muted": "#0c2a54",
            "success-muted": "#122c1a",
        },
    ),
    replace(
        BUILTIN_THEMES["textual-light"],
        name="light",
        accent="#005f87",
        warning="#6b3a00",
        background="#eeeeee",
        surface="#e8e8e8",
        panel="#e2e2e2",
        variables={
            **dict.fromkeys(("foreground-muted", "text-muted", "text-disabled"), "#4e4e4e"),
            "text-accent": "#005f87",
            "text-success": "#005f00",
            "text-warning": "#6b3a00",
            "text-error": "#870000",
            "primary-muted": "#d0e4ff",
            "error-muted": "#ffd7d7",
            "success-muted": "#d7ffd7",
            "surface-lighten-1": "#e2e2e2",
            "surface-lighten-2": "#ffffff",
        },
    ),
    Theme(
        CONTRAST,
        primary="#0000aa",
        secondary="#ffffff",
        accent="#ffff55",
        warning="#ffff55",
        error="#ff5555",
        success="#55ff55",
        foreground="#ffffff",
        background="#000000",
        surface="#000000",
        panel="#000000",
        text_alpha=1.0,
        variables={
            # Nothing is dimmed; what has the focus is blue, as a terminal of 16 colours has it.
            **dict.fromkeys(
                ("foreground-muted", "foreground-disabled", "text-muted", "text-disabled"),
                "#ffffff",
            ),
            "text-success": "#55ff55",
            "text-warning": "#ffff55",
            "text-error": "#ff5555",
            "text-accent": "#ffff55",
            "surface-lighten-1": "#000087",
            "surface-lighten-2": "#000087",
            "surface-lighten-3": "#ffffff",
            "primary-muted": "#000087",
            "error-muted": "#000000",
            "success-muted": "#000000",
        },
    ),
)
