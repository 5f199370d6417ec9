"""What is asked, without a face: questions, the draft, suggestions, the review."""
