//! The device's side: observe, check in, plan, act
