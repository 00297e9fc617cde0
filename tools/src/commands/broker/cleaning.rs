//! `cleanExpiredCQ`, `deleteExpiredCommitLog`, `cleanUnusedTopic`: have brokers remove what nobody needs any more.

use boostermq_remoting::header::EncodeHeader;
use boostermq_remoting::request::broker_config::{CleanExpiredConsumequeue, DeleteExpiredCommitlog};
use boostermq_remoting::request::{NoHeader, RequestKind, topic};
use bytes::Bytes;

use crate::command::{Session, commands};
use crate::options::{Arguments, CommandOption};
use crate::targets::{self, Members};

const QUEUES: &[CommandOption] = &[
    CommandOption::optional("b", "brokerAddr", "Broker address"),
    CommandOption::optional("c", "cluster", "clustername"),
];

const LOG: &[CommandOption] = &[
    CommandOption::optional("n", "namesrvAddr", "Name server address"),
    CommandOption::optional("b", "brokerAddr", "Broker address"),
    CommandOption::optional("c", "cluster", "clustername"),
];

const TOPICS: &[CommandOption] = &[
    CommandOption::optional("b", "brokerAddr", "Broker address"),
    CommandOption::optional("c", "cluster", "cluster name"),
];

commands! {
    /// Has expired files of consume queues removed.
    CleanExpiredCq =
        "cleanExpiredCQ", "Clean expired ConsumeQueue on broker.", QUEUES, clean::<CleanExpiredConsumequeue>;
    /// Has expired files of commit logs removed.
    DeleteExpiredCommitLog =
        "deleteExpiredCommitLog", "Delete expired CommitLog files.", LOG, clean::<DeleteExpiredCommitlog>;
    /// Has queues removed whose topics are gone.
    CleanUnusedTopic =
        "cleanUnusedTopic", "Clean unused topic on broker.", TOPICS, clean::<topic::CleanUnusedTopic>;
}

/// Upstream takes neither `-b` nor `-c` for all brokers of all clusters; here one of them must be given.
async fn clean<R>(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()>
where
    R: RequestKind<Header = NoHeader>,
    R::Header: EncodeHeader,
{
    let Some(brokers) = targets::brokers(arguments, session, Members::All).await? else { return Ok(()) };
    let told = session
        .ask_all(&brokers, async |admin, address| admin.call::<R>(address, &NoHeader {}, Bytes::new()).await.map(drop))
        .await;
    // Upstream says what became of the last broker only, and ends this without a line feed.
    let is_done = !brokers.is_empty() && told.len() == brokers.len();
    if !is_done {
        session.fail();
    }
    Ok(write!(session.out, "{}", if is_done { "success" } else { "false" })?)
}
