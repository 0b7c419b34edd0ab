"""Settings from ``medqa.toml`` and the environment, and their command.

Knows the names of options, and nothing of what they do. May import what stands below the commands of ``cli``.
"""
