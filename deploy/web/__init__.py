"""The page that draws in a browser: its sources in ``src``, what they are built into in ``built``."""
