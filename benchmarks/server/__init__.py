"""What the server does for many, and what the command costs."""
