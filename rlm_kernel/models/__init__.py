"""What answers requests: endpoints, the tutor, scripts."""
