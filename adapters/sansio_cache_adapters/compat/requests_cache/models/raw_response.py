"""Bodies as urllib3 has them: here its own class."""

from urllib3 import HTTPResponse as CachedHTTPResponse

__all__ = ["CachedHTTPResponse"]
