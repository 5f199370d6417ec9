"""What the wizards share: questions, the draft, suggestions, the review."""
