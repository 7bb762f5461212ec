"""The process that cells run in."""
