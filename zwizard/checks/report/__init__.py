"""The outcome of a check as text, JSON, Markdown and HTML."""
