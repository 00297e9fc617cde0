//! `getBrokerConfig`, `updateBrokerConfig`: settings of brokers.

use boostermq_remoting::properties_file::Properties;
use boostermq_remoting::request::NoHeader;
use boostermq_remoting::request::broker_config;
use bytes::Bytes;

use crate::command::{Session, commands};
use crate::options::{Arguments, CommandOption};
use crate::output::Document;
use crate::settings;
use crate::targets::{self, Members};

const GET: &[CommandOption] = &[
    CommandOption::one_of("b", "brokerAddr", "get which broker"),
    CommandOption::one_of("c", "clusterName", "get which cluster"),
];

const UPDATE: &[CommandOption] = &[
    CommandOption::optional("b", "brokerAddr", "update which broker"),
    CommandOption::optional("c", "clusterName", "update which cluster"),
    CommandOption::optional("a", "updateAllBroker", "update all brokers include slave"),
    CommandOption::required("k", "key", "config key"),
    CommandOption::required("v", "value", "config value"),
];

commands! {
    /// Shows settings.
    GetBrokerConfig = "getBrokerConfig", "Get broker config by cluster or special broker.", GET, show, has_tables;
    /// Changes a setting.
    UpdateBrokerConfig = "updateBrokerConfig", "Update broker's config.", UPDATE, update;
}

async fn show(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let Some(brokers) = targets::headed(arguments, session).await? else { return Ok(()) };
    let addresses: Vec<String> = brokers.iter().map(|broker| broker.address.clone()).collect();
    let answers = session
        .ask_all(&addresses, async |admin, address| {
            let timeout = crate::admin::CALL_TIMEOUT;
            let answer = admin.ask::<broker_config::GetBrokerConfig>(address, &NoHeader {}, Bytes::new(), timeout);
            crate::admin::succeeded(answer.await?)
        })
        .await;
    let mut document = Document::new();
    for (address, answer) in answers {
        let heading = brokers.iter().find(|broker| broker.address == address).map(|broker| broker.heading.as_str());
        document.line(heading.unwrap_or_default());
        document.table(settings::table(&address, &Properties::parse(&address, &answer.body)?)).line("");
    }
    Ok(session.print(&document)?)
}

async fn update(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let body = settings::body(arguments.required("k")?, arguments.required("v")?)?;
    // Any value after -a means slaves too.
    let members = if arguments.has("a") { Members::All } else { Members::Masters };
    let Some(brokers) = targets::brokers(arguments, session, members).await? else { return Ok(()) };
    let done = |address: &str| format!("update broker config success, {address}");
    targets::tell::<broker_config::UpdateBrokerConfig>(session, &brokers, &NoHeader {}, body, done).await
}
