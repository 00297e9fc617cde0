//! Flow control of consumers that read old messages.
//!
//! Codes and fields: RocketMQ 5.5.0.

use super::{Action, NoHeader, Permission};

crate::header! {
    /// Header of a change of the read mode.
    SetCommitLogReadModeRequestHeader {
        /// 0 reads ahead, 1 does not.
        read_ahead_mode: Option<i32> = "READ_AHEAD_MODE",
    }
}

requests! {
    /// Sets limits of groups; body of `group=bytes` lines.
    UpdateColdDataFlowCtrConfig = 2001 "UPDATE_COLD_DATA_FLOW_CTR_CONFIG", Blocking, Permission::Cluster(Action::Update);
    /// Removes a group's limit; the body is its name.
    RemoveColdDataFlowCtrConfig = 2002 "REMOVE_COLD_DATA_FLOW_CTR_CONFIG", Blocking, Permission::Cluster(Action::Update);
    /// Shows limits and use.
    GetColdDataFlowCtrInfo = 2003 "GET_COLD_DATA_FLOW_CTR_INFO", Inline, Permission::Cluster(Action::Get);
    /// Sets whether the commit log is read ahead; the remark tells the new mode.
    SetCommitlogReadMode = 2004 "SET_COMMITLOG_READ_MODE", Blocking, Permission::Cluster(Action::Update),
        SetCommitLogReadModeRequestHeader => NoHeader;
}
