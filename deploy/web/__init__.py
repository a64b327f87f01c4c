"""The page that draws in a browser: sources in ``src``, what they are built into in ``built``."""
