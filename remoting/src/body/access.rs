//! Bodies about users and what they may do (3001 to 3010).

bodies! {
    /// A user: upstream `UserInfo`.
    UserInfo {
        /// The password.
        #[serde(skip_serializing_if = "Option::is_none")]
        password: Option<String>,
        /// `enable`, `disable`.
        #[serde(skip_serializing_if = "Option::is_none")]
        user_status: Option<String>,
        /// `Super`, `Normal`.
        #[serde(skip_serializing_if = "Option::is_none")]
        user_type: Option<String>,
        /// The name.
        #[serde(skip_serializing_if = "Option::is_none")]
        username: Option<String>,
    }

    /// One rule: upstream `AclInfo.PolicyEntryInfo`.
    PolicyEntryInfo {
        /// `Pub`, `Sub`, `Create`, `Update`, `Delete`, `Get`, `List`, `All`.
        #[serde(skip_serializing_if = "Option::is_none")]
        actions: Option<Vec<String>>,
        /// `Allow`, `Deny`.
        #[serde(skip_serializing_if = "Option::is_none")]
        decision: Option<String>,
        /// `Topic:name`, `Group:name`; a trailing `*` makes a prefix.
        #[serde(skip_serializing_if = "Option::is_none")]
        resource: Option<String>,
        /// Addresses and networks.
        #[serde(skip_serializing_if = "Option::is_none")]
        source_ips: Option<Vec<String>>,
    }

    /// Rules of one kind: upstream `AclInfo.PolicyInfo`.
    PolicyInfo {
        /// The rules.
        #[serde(skip_serializing_if = "Option::is_none")]
        entries: Option<Vec<PolicyEntryInfo>>,
        /// `Custom`, `Default`.
        #[serde(skip_serializing_if = "Option::is_none")]
        policy_type: Option<String>,
    }

    /// What a user may do: upstream `AclInfo`.
    AclInfo {
        /// The rules by kind.
        #[serde(skip_serializing_if = "Option::is_none")]
        policies: Option<Vec<PolicyInfo>>,
        /// `User:name`.
        #[serde(skip_serializing_if = "Option::is_none")]
        subject: Option<String>,
    }
}
