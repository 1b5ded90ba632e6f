"""pairgen: preference pairs whose one difference is known exactly."""

__version__ = "0.1.0"
