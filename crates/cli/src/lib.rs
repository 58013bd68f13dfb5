//! The programs: claviger and claviger-agent
