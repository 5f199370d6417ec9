"""The wizard as questions and answers, line by line: for serial lines and screen readers."""
