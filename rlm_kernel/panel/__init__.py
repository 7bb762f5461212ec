"""The call tree as a widget."""
