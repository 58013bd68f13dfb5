//! Where the server keeps things
