"""The wizard as a Textual app: views of the answers, the plan and the journal."""
