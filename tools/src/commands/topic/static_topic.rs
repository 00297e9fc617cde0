//! `updateStaticTopic`, `remappingStaticTopic`: topics whose queues outlive their broker. Not built.

use crate::command::{Session, commands};
use crate::options::{Arguments, CommandOption};

const UPDATE: &[CommandOption] = &[
    CommandOption::one_of("c", "clusters", "remapping static topic to clusters, comma separated"),
    CommandOption::one_of("b", "brokers", "remapping static topic to brokers, comma separated"),
    CommandOption::required("t", "topic", "topic name"),
    CommandOption::required("qn", "totalQueueNum", "total queue num"),
    CommandOption::optional("mf", "mapFile", "The mapping data file name"),
    CommandOption::optional("fr", "forceReplace", "Force replace the old mapping"),
];

const REMAP: &[CommandOption] = &[
    CommandOption::one_of("c", "clusters", "remapping static topic to clusters, comma separated"),
    CommandOption::one_of("b", "brokers", "remapping static topic to brokers, comma separated"),
    CommandOption::required("t", "topic", "topic name"),
    CommandOption::optional("mf", "mapFile", "The mapping data file name "),
    CommandOption::optional("fr", "forceReplace", "Force replace the old mapping"),
];

commands! {
    /// Would make a static topic.
    UpdateStaticTopic =
        "updateStaticTopic", "Update or create static topic, which has fixed number of queues.", UPDATE, refuse;
    /// Would move the queues of a static topic.
    RemappingStaticTopic = "remappingStaticTopic", "Remapping static topic.", REMAP, refuse;
}

async fn refuse(_: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    session.not_built("static topics are not built yet, neither in BoosterMQ's broker nor in this tool");
    Ok(())
}
