"""The three looks: dark, light, and one of pure colours for eyes and terminals that need it."""

from dataclasses import replace

from textual.theme import BUILTIN_THEMES, Theme

CONTRAST = "high-contrast"

THEMES = (
    replace(BUILTIN_THEMES["textual-dark"], name="dark"),
    replace(BUILTIN_THEMES["textual-light"], name="light", accent="#9a4f00", warning="#9a4f00"),
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
            "surface-lighten-1": "#0000aa",
            "surface-lighten-2": "#0000aa",
            "surface-lighten-3": "#ffffff",
            "primary-muted": "#0000aa",
            "error-muted": "#aa0000",
            "success-muted": "#005500",
        },
    ),
)
