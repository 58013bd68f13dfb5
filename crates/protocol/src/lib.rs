//! What agent and server say to one another: versioned messages, limits, sealing of secrets
