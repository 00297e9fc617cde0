//! Producer groups and the connections of their members.
//!
//! Upstream: `ProducerManager`.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Instant;

use boostermq_remoting::names::{ClientId, Group};
use boostermq_remoting::net::connection::{Connection, ConnectionId};
use dashmap::DashMap;

use super::Member;
use super::groups_by_connection::{GroupsByConnection, TooManyGroups};

type Members = HashMap<ConnectionId, Member>;

/// Every producer group with a member. A group is here as long as it has one.
#[derive(Debug, Default)]
pub(crate) struct Producers {
    groups: DashMap<Group, Members>,
    by_connection: GroupsByConnection,
    /// The connection of each client's last heartbeat.
    by_client: DashMap<ClientId, Arc<Connection>>,
}

impl Producers {
    /// A heartbeat named `group`.
    ///
    /// # Errors
    /// [`TooManyGroups`] when the connection is a member of too many.
    pub(crate) fn heartbeat(&self, group: &Group, member: Member) -> Result<(), TooManyGroups> {
        let id = member.connection.id();
        if self.by_client.get(&member.client_id).is_none_or(|connection| connection.id() != id) {
            self.by_client.insert(member.client_id.clone(), Arc::clone(&member.connection));
        }
        self.groups.entry(group.clone()).or_default().insert(id, member);
        // Noted last: whoever closes the connection after this finds the group.
        self.by_connection.add(id, group).inspect_err(|_| self.remove(group.as_str(), id))
    }

    /// A member leaves a group.
    pub(crate) fn leave(&self, group: &str, connection: ConnectionId) {
        self.by_connection.remove(connection, group);
        self.remove(group, connection);
    }

    /// A connection is gone.
    pub(crate) fn connection_closed(&self, connection: ConnectionId) {
        for group in self.by_connection.take(connection) {
            self.remove(group.as_str(), connection);
        }
    }

    fn remove(&self, group: &str, connection: ConnectionId) {
        let member = self.groups.get_mut(group).and_then(|mut members| members.remove(&connection));
        self.groups.remove_if(group, |_, members| members.is_empty());
        if let Some(member) = member {
            self.forget_client(&member);
        }
    }

    /// Forgets where a client is reached, unless its connection is a member of another group still.
    fn forget_client(&self, member: &Member) {
        let id = member.connection.id();
        if !self.by_connection.contains(id) {
            self.by_client.remove_if(&member.client_id, |_, connection| connection.id() == id);
        }
    }

    /// The connection of a producer by what it calls itself, in whatever group.
    pub(crate) fn client(&self, client_id: &str) -> Option<Arc<Connection>> {
        self.by_client.get(client_id).map(|connection| Arc::clone(&connection))
    }

    /// Drops the members that were last heard before a moment; their connections, one for each group.
    pub(crate) fn drop_silent(&self, before: Instant) -> Vec<Arc<Connection>> {
        let mut silent = Vec::new();
        self.groups.retain(|group, members| {
            for (_, member) in members.extract_if(|_, member| member.heard < before) {
                silent.push((group.clone(), member));
            }
            !members.is_empty()
        });
        // Only now: nothing locks both tables at once.
        silent
            .into_iter()
            .map(|(group, member)| {
                self.by_connection.remove(member.connection.id(), group.as_str());
                self.forget_client(&member);
                member.connection
            })
            .collect()
    }

    /// True while the connection is a member of some group.
    pub(crate) fn has_member(&self, connection: ConnectionId) -> bool {
        self.by_connection.contains(connection)
    }

    /// The members of a group, oldest connection first; `None` for a group without any.
    pub(crate) fn members(&self, group: &str) -> Option<Vec<Member>> {
        self.groups.get(group).map(|members| in_order(&members))
    }

    /// All groups with their members.
    pub(crate) fn all(&self) -> BTreeMap<Group, Vec<Member>> {
        self.groups.iter().map(|entry| (entry.key().clone(), in_order(entry.value()))).collect()
    }
}

fn in_order(members: &Members) -> Vec<Member> {
    let mut members: Vec<Member> = members.values().cloned().collect();
    members.sort_unstable_by_key(|member| member.connection.id());
    members
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn group(name: &str) -> Group {
        Group::parse(name).unwrap()
    }

    fn ids(producers: &Producers, group: &str) -> Vec<u64> {
        let members = producers.members(group).unwrap_or_default();
        members.iter().map(|member| member.connection.id().0).collect()
    }

    #[test]
    fn members_are_connections() {
        let (producers, now) = (Producers::default(), Instant::now());
        for (name, id) in [("g", 1), ("h", 1), ("g", 2), ("g", 1)] {
            // One client, by an old and a new connection.
            producers.heartbeat(&group(name), Member::for_test(id, "client", now)).unwrap();
        }
        assert_eq!((ids(&producers, "g"), ids(&producers, "h")), (vec![1, 2], vec![1]));

        producers.connection_closed(ConnectionId(1));
        assert_eq!(ids(&producers, "g"), [2]);
        assert!(producers.members("h").is_none());
        assert!(!producers.has_member(ConnectionId(1)));

        producers.leave("g", ConnectionId(3));
        assert_eq!(ids(&producers, "g"), [2]);
        producers.leave("g", ConnectionId(2));
        assert!(producers.all().is_empty());
        assert!(!producers.has_member(ConnectionId(2)));
    }

    #[test]
    fn a_client_is_reached_by_its_last_connection() {
        let (producers, now) = (Producers::default(), Instant::now());
        let reached = || producers.client("client").map(|connection| connection.id().0);
        assert_eq!(reached(), None);
        for (name, id, expected) in [("g", 1, 1), ("h", 1, 1), ("g", 2, 2)] {
            producers.heartbeat(&group(name), Member::for_test(id, "client", now)).unwrap();
            assert_eq!(reached(), Some(expected), "{name} {id}");
        }
        producers.connection_closed(ConnectionId(1));
        assert_eq!(reached(), Some(2), "the old connection takes only itself away");
        producers.heartbeat(&group("h"), Member::for_test(2, "client", now)).unwrap();
        producers.leave("g", ConnectionId(2));
        assert_eq!(reached(), Some(2));
        producers.leave("h", ConnectionId(2));
        assert_eq!(reached(), None);
        producers.heartbeat(&group("g"), Member::for_test(3, "client", now)).unwrap();
        producers.drop_silent(now + Duration::from_secs(1));
        assert_eq!(reached(), None);
    }

    #[test]
    fn silent_members_are_dropped() {
        let (producers, now) = (Producers::default(), Instant::now());
        let later = now + Duration::from_secs(60);
        for (name, id, heard) in [("g", 1, now), ("g", 2, later), ("h", 1, later), ("i", 3, now)] {
            producers.heartbeat(&group(name), Member::for_test(id, "client", heard)).unwrap();
        }
        assert!(producers.drop_silent(now).is_empty());
        let mut silent: Vec<u64> = producers.drop_silent(later).iter().map(|connection| connection.id().0).collect();
        silent.sort_unstable();
        assert_eq!(silent, [1, 3]);
        assert_eq!((ids(&producers, "g"), ids(&producers, "h"), ids(&producers, "i")), (vec![2], vec![1], vec![]));
        assert!(producers.has_member(ConnectionId(1)));
        assert!(!producers.has_member(ConnectionId(3)));
    }

    #[test]
    fn the_groups_of_a_connection_are_bounded() {
        let (producers, now) = (Producers::default(), Instant::now());
        let member = Member::for_test(1, "client", now);
        let join = |number: usize| producers.heartbeat(&group(&format!("g{number}")), member.clone());
        let bound = super::super::groups_by_connection::GROUPS_PER_CONNECTION_MAX;
        for number in 0..bound {
            join(number).unwrap();
        }
        assert_eq!(join(bound), Err(TooManyGroups));
        // Those that it has go on.
        join(0).unwrap();
        producers.connection_closed(ConnectionId(1));
        join(bound).unwrap();
    }
}
