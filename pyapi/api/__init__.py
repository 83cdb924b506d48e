"""The API: a thin Flask application that calls routines, one module a resource, and maps their errors."""
