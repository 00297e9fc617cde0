//! `updateKvConfig`, `deleteKvConfig`: texts that every name server keeps by namespace and key.

use boostermq_remoting::request::kv::{self, DeleteKvConfigRequestHeader, PutKvConfig, PutKvConfigRequestHeader};

use crate::command::{Session, commands};
use crate::options::{Arguments, CommandOption};

const UPDATE: &[CommandOption] = &[
    CommandOption::required("s", "namespace", "set the namespace"),
    CommandOption::required("k", "key", "set the key name"),
    CommandOption::required("v", "value", "set the key value"),
];

const DELETE: &[CommandOption] = &[
    CommandOption::required("s", "namespace", "set the namespace"),
    CommandOption::required("k", "key", "set the key name"),
];

commands! {
    /// Sets a key.
    UpdateKvConfig = "updateKvConfig", "Create or update KV config.", UPDATE, update;
    /// Removes a key.
    DeleteKvConfig = "deleteKvConfig", "Delete KV config.", DELETE, delete;
}

async fn update(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let text = |key: &str| anyhow::Ok(Some(arguments.required(key)?.to_owned()));
    let header = PutKvConfigRequestHeader { namespace: text("s")?, key: text("k")?, value: text("v")? };
    session.admin.tell_name_servers::<PutKvConfig>(&header).await?;
    Ok(writeln!(session.out, "create or update kv config to namespace success.")?)
}

async fn delete(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let header = DeleteKvConfigRequestHeader {
        namespace: arguments.required("s")?.to_owned(),
        key: arguments.required("k")?.to_owned(),
    };
    session.admin.tell_name_servers::<kv::DeleteKvConfig>(&header).await?;
    Ok(writeln!(session.out, "delete kv config from namespace success.")?)
}
