//! The groups of each connection, so that a closing connection finds its own without looking through all.

use std::collections::HashSet;

use boostermq_remoting::names::Group;
use boostermq_remoting::net::connection::ConnectionId;
use dashmap::DashMap;

/// Groups of one kind that one connection may be a member of. A client has a handful; a proxy speaks for many.
pub(crate) const GROUPS_PER_CONNECTION_MAX: usize = 10_000;

/// A connection wants to join more groups than the bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "this connection is a member of {GROUPS_PER_CONNECTION_MAX} groups already and cannot join more; \
     spread the groups over several client instances"
)]
pub(crate) struct TooManyGroups;

/// Connection to groups.
#[derive(Debug, Default)]
pub(super) struct GroupsByConnection(DashMap<ConnectionId, HashSet<Group>>);

impl GroupsByConnection {
    /// Notes that a connection is about to join a group.
    ///
    /// # Errors
    /// [`TooManyGroups`] at the bound.
    pub(super) fn add(&self, connection: ConnectionId, group: &Group) -> Result<(), TooManyGroups> {
        let mut groups = self.0.entry(connection).or_default();
        if groups.contains(group) {
            return Ok(());
        }
        if groups.len() >= GROUPS_PER_CONNECTION_MAX {
            return Err(TooManyGroups);
        }
        groups.insert(group.clone());
        Ok(())
    }

    /// Notes that a connection left a group.
    pub(super) fn remove(&self, connection: ConnectionId, group: &str) {
        if let Some(mut groups) = self.0.get_mut(&connection) {
            groups.remove(group);
        }
        self.0.remove_if(&connection, |_, groups| groups.is_empty());
    }

    /// Takes all groups of a connection.
    pub(super) fn take(&self, connection: ConnectionId) -> HashSet<Group> {
        self.0.remove(&connection).map(|(_, groups)| groups).unwrap_or_default()
    }

    /// True while the connection is a member of some group.
    pub(super) fn contains(&self, connection: ConnectionId) -> bool {
        self.0.contains_key(&connection)
    }
}
