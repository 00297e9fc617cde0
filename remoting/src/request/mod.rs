//! Every request upstream knows, each declared once: code, name, meaning, headers, who may, where it runs.
//!
//! A family file holds the headers of its requests (declared with [`header!`](crate::header!)), the body types
//! that only it uses, and one `requests!` block. From the blocks come the code names in logs, the routes'
//! types, typed client calls and the coverage list. Whether a server serves a code stands in that server's
//! `routes.rs`.

use crate::code::RequestCode;
use crate::header::HeaderField;

/// Where a request runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Executor {
    /// On the connection's own task: quick, never waits, never touches a disk that may be slow.
    Inline,
    /// On a bounded pool of threads: slow or bulky work.
    Blocking,
    /// As a task of its own: it waits for something without holding a thread.
    Waiting,
}

/// What a request does to the thing it names, for access control.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send to a topic.
    Pub,
    /// Consume from a topic, or as a group.
    Sub,
    /// Make something.
    Create,
    /// Change something.
    Update,
    /// Remove something.
    Delete,
    /// Read something.
    Get,
    /// List things.
    List,
}

/// What access control checks for a request; the texts are names of ext fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// Nothing.
    Open,
    /// An action on the topic in this field.
    Topic(&'static str, Action),
    /// An action on the group in this field.
    Group(&'static str, Action),
    /// The action on the topic in the first field and on the group in the second.
    TopicAndGroup(&'static str, &'static str, Action),
    /// An action on the whole cluster.
    Cluster(Action),
    /// The things stand in the body; the handler asks.
    InBody(Action),
}

/// One declared request.
#[derive(Clone, Copy, Debug)]
pub struct RequestRow {
    /// Its code.
    pub code: RequestCode,
    /// Upstream's name of the code.
    pub name: &'static str,
    /// What it is for.
    pub doc: &'static str,
    /// Where it runs.
    pub executor: Executor,
    /// What access control checks.
    pub permission: Permission,
    /// Fields of its header.
    pub fields: &'static [HeaderField],
    /// Fields of its answer's header.
    pub response_fields: &'static [HeaderField],
    /// Reads the header and says what is wrong with it.
    #[cfg(test)]
    pub(crate) check: fn(&crate::header::Fields<'static>) -> Result<(), crate::header::FieldError>,
}

/// A declared request as a type: binds the code to its headers.
pub trait RequestKind: 'static {
    /// Header of the request.
    type Header;
    /// Header of the answer.
    type Response;
    /// The declaration.
    const ROW: RequestRow;
}

crate::header! {
    /// A request or answer without ext fields.
    NoHeader {}
}

/// Declares the requests of a family:
/// `/// doc` · `Name = code "UPSTREAM_NAME", Executor, Permission: Header => Response;` · the headers may be left
/// out when there are none.
macro_rules! requests {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal $wire:literal, $executor:ident, $permission:expr
        $(, $header:ty => $response:ty)? ;)*) => {
        $(
            $(#[doc = $doc])+
            #[derive(Clone, Copy, Debug)]
            pub struct $name;

            impl $crate::request::RequestKind for $name {
                type Header = requests!(@or $($header)?);
                type Response = requests!(@or $($response)?);
                const ROW: $crate::request::RequestRow = $crate::request::RequestRow {
                    code: $crate::code::RequestCode($code),
                    name: $wire,
                    doc: concat!($($doc),+),
                    executor: $crate::request::Executor::$executor,
                    permission: $permission,
                    fields: <requests!(@or $($header)?)>::FIELDS,
                    response_fields: <requests!(@or $($response)?)>::FIELDS,
                    #[cfg(test)]
                    check: |fields| {
                        <requests!(@or $($header)?) as $crate::header::DecodeHeader<'static>>::decode(fields).map(|_| ())
                    },
                };
            }
        )*
        /// Every request of this family.
        pub const ROWS: &[$crate::request::RequestRow] =
            &[$(<$name as $crate::request::RequestKind>::ROW),*];
    };
    (@or) => { $crate::request::NoHeader };
    (@or $type:ty) => { $type };
}

pub mod acl;
pub mod broker_config;
pub mod client;
pub mod cluster;
pub mod cold_data;
pub mod controller;
pub mod group;
pub mod ha;
pub mod kv;
pub mod lite;
pub mod offset;
pub mod pop;
pub mod pull;
pub mod query;
pub mod route;
pub mod send;
pub mod static_topic;
pub mod stats;
pub mod timer;
pub mod topic;
pub mod transaction;

/// All families, in reading order.
pub const FAMILIES: &[&[RequestRow]] = &[
    send::ROWS,
    pull::ROWS,
    pop::ROWS,
    offset::ROWS,
    query::ROWS,
    transaction::ROWS,
    client::ROWS,
    group::ROWS,
    topic::ROWS,
    route::ROWS,
    kv::ROWS,
    cluster::ROWS,
    broker_config::ROWS,
    stats::ROWS,
    timer::ROWS,
    static_topic::ROWS,
    ha::ROWS,
    controller::ROWS,
    acl::ROWS,
    cold_data::ROWS,
    lite::ROWS,
];

/// Every declared request.
pub fn rows() -> impl Iterator<Item = &'static RequestRow> {
    FAMILIES.iter().flat_map(|family| family.iter())
}

/// The declaration of a code.
#[must_use]
pub fn row(code: RequestCode) -> Option<&'static RequestRow> {
    rows().find(|row| row.code == code)
}

#[cfg(test)]
mod tests;
