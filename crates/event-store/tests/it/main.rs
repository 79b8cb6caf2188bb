//! The store on a real Postgres: what it promises, and what happens when it is pulled at.

mod append;
mod executor;
mod fixtures;
mod follower;
mod held_back;
mod loss;

mod stock_repository;
mod watermark;
