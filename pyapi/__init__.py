"""pgreprise: rerun stored reports safely, by versioned stored procedures in PostgreSQL."""
