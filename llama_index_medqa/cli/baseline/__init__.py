"""The command `medqa baseline`: NLM's yearly and daily files. May import what ``cli`` may."""
