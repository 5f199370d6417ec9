"""The rules an image must meet, by subject, and the report of what was found."""
