//! Live streams through whole systems: readers that are cut off again and again, servers that leave
//! or whose store is away, a gateway in between, and many at once.

mod cut;
mod follower;
mod gateway;
mod leaving;
mod many;
mod writers;
