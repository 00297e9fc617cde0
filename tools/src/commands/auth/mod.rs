//! Commands about users and what they may do.

mod acls;
mod users;

pub use acls::{CopyAcl, CreateAcl, DeleteAcl, GetAcl, ListAcl, UpdateAcl};
pub use users::{CopyUser, CreateUser, DeleteUser, GetUser, ListUser, UpdateUser};
