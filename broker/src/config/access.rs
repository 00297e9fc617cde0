//! Keys of access control. Upstream lists them in answers to GET_BROKER_CONFIG only when the file sets them.
//!
//! Upstream: `AuthConfig`.

use boostermq_remoting::config::reasons::ACCESS;
use boostermq_remoting::config::{Seconds, Secret};

boostermq_remoting::config! {
    /// Keys of access control.
    pub struct AccessConfig {
        /// Name of the set of access rules.
        config_name: Option<String> = None, "configName", Inert(ACCESS);
        /// Cluster for which the rules hold.
        cluster_name: Option<String> = None, "clusterName", Inert(ACCESS);
        /// Folder in which users and rules are kept.
        auth_config_path: Option<String> = None, "authConfigPath", Inert(ACCESS);
        /// Asks clients who they are.
        authentication_enabled: bool = false, "authenticationEnabled", Refused(ACCESS);
        /// Java class that checks users.
        authentication_provider: Option<String> = None, "authenticationProvider", Inert(ACCESS);
        /// Java class that keeps users.
        authentication_metadata_provider: Option<String> = None, "authenticationMetadataProvider", Inert(ACCESS);
        /// Java class that decides when to check.
        authentication_strategy: Option<String> = None, "authenticationStrategy", Inert(ACCESS);
        /// Request codes that need no user.
        authentication_whitelist: Option<String> = None, "authenticationWhitelist", Inert(ACCESS);
        /// User created at the first start, as JSON.
        init_authentication_user: Secret = Secret::default(), "initAuthenticationUser", Inert(ACCESS);
        /// Credentials with which the broker itself calls others, as JSON.
        inner_client_authentication_credentials: Secret =
            Secret::default(), "innerClientAuthenticationCredentials", Inert(ACCESS);
        /// Checks what a user may do.
        authorization_enabled: bool = false, "authorizationEnabled", Refused(ACCESS);
        /// Java class that checks rights.
        authorization_provider: Option<String> = None, "authorizationProvider", Inert(ACCESS);
        /// Java class that keeps rights.
        authorization_metadata_provider: Option<String> = None, "authorizationMetadataProvider", Inert(ACCESS);
        /// Java class that decides when to check rights.
        authorization_strategy: Option<String> = None, "authorizationStrategy", Inert(ACCESS);
        /// Request codes that need no right.
        authorization_whitelist: Option<String> = None, "authorizationWhitelist", Inert(ACCESS);
        /// Takes over the rules of the first generation.
        migrate_auth_from_v1_enabled: bool = false, "migrateAuthFromV1Enabled", Inert(ACCESS);
        /// Users kept in memory.
        user_cache_max_num: u32 = 1000, "userCacheMaxNum", Inert(ACCESS);
        /// Time for which a user is kept in memory.
        user_cache_expired_second: Seconds = Seconds(600), "userCacheExpiredSecond", Inert(ACCESS);
        /// Time after which a user is read again.
        user_cache_refresh_second: Seconds = Seconds(60), "userCacheRefreshSecond", Inert(ACCESS);
        /// Rules kept in memory.
        acl_cache_max_num: u32 = 1000, "aclCacheMaxNum", Inert(ACCESS);
        /// Time for which a rule is kept in memory.
        acl_cache_expired_second: Seconds = Seconds(600), "aclCacheExpiredSecond", Inert(ACCESS);
        /// Time after which a rule is read again.
        acl_cache_refresh_second: Seconds = Seconds(60), "aclCacheRefreshSecond", Inert(ACCESS);
        /// Connections whose user is remembered.
        stateful_authentication_cache_max_num: u32 = 10_000, "statefulAuthenticationCacheMaxNum", Inert(ACCESS);
        /// Time for which the user of a connection is remembered.
        stateful_authentication_cache_expired_second: Seconds =
            Seconds(60), "statefulAuthenticationCacheExpiredSecond", Inert(ACCESS);
        /// Decisions that are remembered.
        stateful_authorization_cache_max_num: u32 = 10_000, "statefulAuthorizationCacheMaxNum", Inert(ACCESS);
        /// Time for which a decision is remembered.
        stateful_authorization_cache_expired_second: Seconds =
            Seconds(60), "statefulAuthorizationCacheExpiredSecond", Inert(ACCESS);
    }
}
