//! Revocation and limits: what the ports promise, on each implementation; what nodes see of one another; what happens when
//! Redis or the database is gone.

mod changes;
mod cluster;
mod database_gone;
mod faults;
mod gate;
mod house;
mod index;
mod limits;
mod load;
mod mirror;
mod node;
mod nodes;
mod redis_gone;
mod sentinel;
mod spending;
mod truth;
