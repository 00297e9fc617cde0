//! Key-value settings of name servers.
//!
//! Codes and fields: RocketMQ 5.5.0.

use super::{Action, NoHeader, Permission};

crate::header! {
    /// Header: upstream `PutKVConfigRequestHeader`. All may be missing, so that the handler can answer in upstream's
    /// words.
    PutKvConfigRequestHeader {
        /// The namespace.
        namespace: Option<String> = "namespace",
        /// The key.
        key: Option<String> = "key",
        /// The value.
        value: Option<String> = "value",
    }

    /// Header: upstream `GetKVConfigRequestHeader`.
    GetKvConfigRequestHeader {
        /// The namespace.
        namespace: String = "namespace",
        /// The key.
        key: String = "key",
    }

    /// Answer: upstream `GetKVConfigResponseHeader`.
    GetKvConfigResponseHeader {
        /// The value.
        value: Option<String> = "value",
    }

    /// Header: upstream `DeleteKVConfigRequestHeader`.
    DeleteKvConfigRequestHeader {
        /// The namespace.
        namespace: String = "namespace",
        /// The key.
        key: String = "key",
    }

    /// Header: upstream `GetKVListByNamespaceRequestHeader`.
    GetKvListByNamespaceRequestHeader {
        /// The namespace.
        namespace: String = "namespace",
    }
}

requests! {
    /// Sets a key.
    PutKvConfig = 100 "PUT_KV_CONFIG", Blocking, Permission::Cluster(Action::Update),
        PutKvConfigRequestHeader => NoHeader;
    /// Tells the value of a key.
    GetKvConfig = 101 "GET_KV_CONFIG", Inline, Permission::Cluster(Action::Get),
        GetKvConfigRequestHeader => GetKvConfigResponseHeader;
    /// Removes a key.
    DeleteKvConfig = 102 "DELETE_KV_CONFIG", Blocking, Permission::Cluster(Action::Update),
        DeleteKvConfigRequestHeader => NoHeader;
    /// Shows a namespace; body `KvTable`.
    GetKvlistByNamespace = 219 "GET_KVLIST_BY_NAMESPACE", Inline, Permission::Cluster(Action::Get),
        GetKvListByNamespaceRequestHeader => NoHeader;
}
