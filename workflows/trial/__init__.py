"""One trial, and the processes that compute it."""
