//! Users and what they may do.
//!
//! Codes and fields: RocketMQ 5.5.0.

use super::{Action, NoHeader, Permission};

crate::header! {
    /// Header of requests about one user: upstream `CreateUserRequestHeader`, `UpdateUserRequestHeader`,
    /// `DeleteUserRequestHeader`, `GetUserRequestHeader`.
    UserRequestHeader {
        /// The user.
        username: Option<String> = "username",
    }

    /// Header: upstream `ListUsersRequestHeader`.
    ListUsersRequestHeader {
        /// Part of the name.
        filter: Option<String> = "filter",
    }

    /// Header of requests about one subject: upstream `CreateAclRequestHeader`, `UpdateAclRequestHeader`,
    /// `GetAclRequestHeader`.
    AclRequestHeader {
        /// `User:name`.
        subject: Option<String> = "subject",
    }

    /// Header: upstream `DeleteAclRequestHeader`.
    DeleteAclRequestHeader {
        /// `User:name`.
        subject: Option<String> = "subject",
        /// `Custom`, `Default`.
        policy_type: Option<String> = "policyType",
        /// One resource only.
        resource: Option<String> = "resource",
    }

    /// Header: upstream `ListAclsRequestHeader`.
    ListAclsRequestHeader {
        /// Part of the subject.
        subject_filter: Option<String> = "subjectFilter",
        /// Part of a resource.
        resource_filter: Option<String> = "resourceFilter",
    }
}

requests! {
    /// Makes a user; body `UserInfo`.
    AuthCreateUser = 3001 "AUTH_CREATE_USER", Blocking, Permission::Cluster(Action::Update),
        UserRequestHeader => NoHeader;
    /// Changes a user; body `UserInfo`.
    AuthUpdateUser = 3002 "AUTH_UPDATE_USER", Blocking, Permission::Cluster(Action::Update),
        UserRequestHeader => NoHeader;
    /// Removes a user.
    AuthDeleteUser = 3003 "AUTH_DELETE_USER", Blocking, Permission::Cluster(Action::Update),
        UserRequestHeader => NoHeader;
    /// Shows a user; body `UserInfo`.
    AuthGetUser = 3004 "AUTH_GET_USER", Inline, Permission::Cluster(Action::Get),
        UserRequestHeader => NoHeader;
    /// Lists users; body of `UserInfo`s.
    AuthListUser = 3005 "AUTH_LIST_USER", Blocking, Permission::Cluster(Action::Get),
        ListUsersRequestHeader => NoHeader;
    /// Makes a subject's rules; body `AclInfo`.
    AuthCreateAcl = 3006 "AUTH_CREATE_ACL", Blocking, Permission::Cluster(Action::Update),
        AclRequestHeader => NoHeader;
    /// Changes a subject's rules; body `AclInfo`.
    AuthUpdateAcl = 3007 "AUTH_UPDATE_ACL", Blocking, Permission::Cluster(Action::Update),
        AclRequestHeader => NoHeader;
    /// Removes a subject's rules.
    AuthDeleteAcl = 3008 "AUTH_DELETE_ACL", Blocking, Permission::Cluster(Action::Update),
        DeleteAclRequestHeader => NoHeader;
    /// Shows a subject's rules; body `AclInfo`.
    AuthGetAcl = 3009 "AUTH_GET_ACL", Inline, Permission::Cluster(Action::Get),
        AclRequestHeader => NoHeader;
    /// Lists rules; body of `AclInfo`s.
    AuthListAcl = 3010 "AUTH_LIST_ACL", Blocking, Permission::Cluster(Action::Get),
        ListAclsRequestHeader => NoHeader;
}
