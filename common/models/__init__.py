"""Networks that take a batch dict and return an output dict."""
