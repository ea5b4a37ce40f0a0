"""What the doctor looks at: facts are gathered in one place each, and judged by pure functions."""
