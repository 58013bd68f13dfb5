//! The virtual fleet, mock clock, fault injection, volume builders; never part of a shipped program
