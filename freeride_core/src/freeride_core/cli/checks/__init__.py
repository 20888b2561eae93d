"""What `freeride doctor` looks at: one module a subject, each giving findings and changing nothing."""
