//! BitLocker volumes: read, create, convert in place, protectors, rotation
