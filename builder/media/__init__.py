"""Pictures: where their bytes are kept, and how they are read and checked."""
