"""The data a plan is made of: steps, actions and how they are rendered."""
