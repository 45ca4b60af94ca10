"""Transport: from bytes on a socket to a request, and from an answer to bytes."""
