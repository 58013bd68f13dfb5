mod check_in;
mod enrol;
mod escrow;
mod hostile;
mod renew;
mod wait;
