//! `createAcl`, `updateAcl`, `deleteAcl`, `getAcl`, `listAcl`, `copyAcl`.

use boostermq_remoting::body::{AclInfo, PolicyEntryInfo, PolicyInfo};
use boostermq_remoting::fastjson;
use boostermq_remoting::request::acl::{
    AclRequestHeader, AuthCreateAcl, AuthDeleteAcl, AuthGetAcl, AuthListAcl, AuthUpdateAcl, DeleteAclRequestHeader,
    ListAclsRequestHeader,
};
use bytes::Bytes;

use crate::admin::{self, Admin, AdminError};
use crate::command::{Session, commands};
use crate::options::{Arguments, CommandOption};
use crate::output::{Cell, Column, Document, Style, Table};
use crate::targets::{self, Members};

const CREATE: &[CommandOption] = &[
    CommandOption::one_of("c", "clusterName", "create acl to which cluster"),
    CommandOption::one_of("b", "brokerAddr", "create acl to which broker"),
    CommandOption::required("s", "subject", "the subject of acl to create."),
    CommandOption::required("r", "resources", "the resources of acl to create"),
    CommandOption::required("a", "actions", "the actions of acl to create"),
    CommandOption::optional("i", "sourceIp", "the sourceIps of acl to create"),
    CommandOption::required("d", "decision", "the decision of acl to create"),
];

const UPDATE: &[CommandOption] = &[
    CommandOption::one_of("c", "clusterName", "update acl to which cluster"),
    CommandOption::one_of("b", "brokerAddr", "update acl to which broker"),
    CommandOption::required("s", "subject", "the subject of acl to update."),
    CommandOption::required("r", "resources", "the resources of acl to update"),
    CommandOption::required("a", "actions", "the actions of acl to update"),
    CommandOption::required("d", "decision", "the decision of acl to update"),
    CommandOption::optional("i", "sourceIp", "the sourceIps of acl to update"),
];

const DELETE: &[CommandOption] = &[
    CommandOption::one_of("c", "clusterName", "delete acl from which cluster"),
    CommandOption::one_of("b", "brokerAddr", "delete acl from which broker"),
    CommandOption::required("s", "subject", "the subject of acl to delete."),
    CommandOption::optional("r", "resources", "the resources of acl to delete"),
];

const GET: &[CommandOption] = &[
    CommandOption::one_of("b", "brokerAddr", "get acl for which broker"),
    CommandOption::one_of("c", "clusterName", "get acl for specified cluster"),
    CommandOption::optional("s", "subject", "the subject of acl to get"),
];

const LIST: &[CommandOption] = &[
    CommandOption::one_of("b", "brokerAddr", "list acl for which broker."),
    CommandOption::one_of("c", "clusterName", "list acl for specified cluster."),
    CommandOption::optional("s", "subject", "the subject of acl to filter."),
    CommandOption::optional("r", "resource", "the resource of acl to filter."),
];

const COPY: &[CommandOption] = &[
    CommandOption::required("f", "fromBroker", "the source broker that the acls copy from"),
    CommandOption::required("t", "toBroker", "the target broker that the acls copy to"),
    CommandOption::optional("s", "subjects", "the subject list of acl to copy."),
];

commands! {
    /// Makes the rules of a subject.
    CreateAcl = "createAcl", "Create acl to cluster.", CREATE, create;
    /// Changes the rules of a subject.
    UpdateAcl = "updateAcl", "Update acl to cluster.", UPDATE, update;
    /// Removes rules of a subject.
    DeleteAcl = "deleteAcl", "Delete acl from cluster.", DELETE, delete;
    /// Shows the rules of a subject.
    GetAcl = "getAcl", "Get acl from cluster.", GET, show, has_tables;
    /// Lists rules.
    ListAcl = "listAcl", "List acl from cluster.", LIST, list, has_tables;
    /// Copies rules to another broker.
    CopyAcl = "copyAcl", "Copy acl to cluster.", COPY, copy;
}

static RULES: Style = Style {
    name: "rules",
    head: "%-16s  %-10s  %-22s  %-20s  %-24s  %-10s%n",
    row: "%-16s  %-10s  %-22s  %-20s  %-24s  %-10s%n",
    columns: &[
        Column::new("subject", "#Subject"),
        Column::new("policyType", "#PolicyType"),
        Column::new("resource", "#Resource"),
        Column::new("actions", "#Actions"),
        Column::new("sourceIps", "#SourceIp"),
        Column::new("decision", "#Decision"),
    ],
};

fn header(subject: &str) -> AclRequestHeader {
    AclRequestHeader { subject: Some(subject.to_owned()) }
}

fn body(rules: &AclInfo) -> Bytes {
    Bytes::from(fastjson::to_vec(rules))
}

/// One entry for each resource, as upstream's tool makes them.
fn rules(arguments: &Arguments) -> anyhow::Result<AclInfo> {
    let list = |key: &str| -> Option<Vec<String>> {
        let text = arguments.text(key)?;
        Some(text.split(',').map(str::trim).filter(|piece| !piece.is_empty()).map(str::to_owned).collect())
    };
    let (actions, source_ips) = (list("a"), list("i"));
    let decision = arguments.text("d").map(str::to_owned);
    let entry = |resource: String| PolicyEntryInfo {
        actions: actions.clone(),
        decision: decision.clone(),
        resource: Some(resource),
        source_ips: source_ips.clone(),
    };
    let entries = list("r").unwrap_or_default().into_iter().map(entry).collect();
    Ok(AclInfo {
        policies: Some(vec![PolicyInfo { entries: Some(entries), policy_type: None }]),
        subject: Some(arguments.required("s")?.to_owned()),
    })
}

async fn create(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let rules = rules(arguments)?;
    let Some(brokers) = targets::brokers(arguments, session, Members::All).await? else { return Ok(()) };
    let done = |address: &str| format!("create acl to {address} success.");
    let header = header(arguments.required("s")?);
    targets::tell::<AuthCreateAcl>(session, &brokers, &header, body(&rules), done).await
}

async fn update(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let rules = rules(arguments)?;
    let Some(brokers) = targets::brokers(arguments, session, Members::All).await? else { return Ok(()) };
    let done = |address: &str| format!("update acl to {address} success.");
    let header = header(arguments.required("s")?);
    targets::tell::<AuthUpdateAcl>(session, &brokers, &header, body(&rules), done).await
}

async fn delete(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let header = DeleteAclRequestHeader {
        subject: Some(arguments.required("s")?.to_owned()),
        policy_type: None,
        resource: arguments.text("r").map(str::to_owned),
    };
    let Some(brokers) = targets::brokers(arguments, session, Members::All).await? else { return Ok(()) };
    let done = |address: &str| format!("delete acl to {address} success.");
    targets::tell::<AuthDeleteAcl>(session, &brokers, &header, Bytes::new(), done).await
}

/// The rules of a subject on one broker; `None` when there are none, for which brokers send no body.
async fn rules_at(admin: &Admin, address: &str, subject: Option<&str>) -> Result<Option<AclInfo>, AdminError> {
    let answer = admin
        .call::<AuthGetAcl>(address, &AclRequestHeader { subject: subject.map(str::to_owned) }, Bytes::new())
        .await?;
    if answer.body.is_empty() { Ok(None) } else { admin::read_body(address, &answer).map(Some) }
}

async fn all_at(
    admin: &Admin,
    address: &str,
    subject: Option<&str>,
    resource: Option<&str>,
) -> Result<Vec<AclInfo>, AdminError> {
    let header = ListAclsRequestHeader {
        subject_filter: subject.map(str::to_owned),
        resource_filter: resource.map(str::to_owned),
    };
    let answer = admin.call::<AuthListAcl>(address, &header, Bytes::new()).await?;
    if answer.body.is_empty() { Ok(Vec::new()) } else { admin::read_body(address, &answer) }
}

async fn show(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    // Without a subject the broker says what is missing.
    let subject = arguments.text("s");
    let Some(brokers) = targets::brokers(arguments, session, Members::Masters).await? else { return Ok(()) };
    let found = session.ask_all(&brokers, async |admin, address| rules_at(admin, address, subject).await).await;
    let all: Vec<Vec<AclInfo>> = found.into_iter().map(|(_, rules)| rules.into_iter().collect()).collect();
    print(session, &all)
}

async fn list(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let (subject, resource) = (arguments.text("s"), arguments.text("r"));
    let Some(brokers) = targets::brokers(arguments, session, Members::Masters).await? else { return Ok(()) };
    let found = session.ask_all(&brokers, async |admin, address| all_at(admin, address, subject, resource).await).await;
    let all: Vec<Vec<AclInfo>> = found.into_iter().map(|(_, rules)| rules).collect();
    print(session, &all)
}

/// A table for each broker that has any.
fn print(session: &mut Session<'_>, all: &[Vec<AclInfo>]) -> anyhow::Result<()> {
    let mut document = Document::new();
    for rules in all.iter().filter(|rules| !rules.is_empty()) {
        document.table(table(rules));
    }
    Ok(session.print(&document)?)
}

fn table(all: &[AclInfo]) -> Table {
    let mut table = Table::new(&RULES);
    let cell = |text: &Option<String>| Cell::shown(text.as_deref().unwrap_or("null"), text.clone());
    let list = |list: &Option<Vec<String>>| {
        let text = list.as_ref().map_or("null".to_owned(), |list| format!("[{}]", list.join(", ")));
        Cell::shown(text, list.clone())
    };
    for rules in all {
        let policies = rules.policies.as_deref().unwrap_or_default();
        if policies.is_empty() {
            let empty = || Cell::shown("", None::<String>);
            table.row([cell(&rules.subject), empty(), empty(), empty(), empty(), empty()]);
        }
        for policy in policies {
            for entry in policy.entries.as_deref().unwrap_or_default() {
                table.row([
                    cell(&rules.subject),
                    cell(&policy.policy_type),
                    cell(&entry.resource),
                    list(&entry.actions),
                    list(&entry.source_ips),
                    cell(&entry.decision),
                ]);
            }
        }
    }
    table
}

async fn copy(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let (from, to) = (arguments.required("f")?, arguments.required("t")?);
    let mut all = Vec::new();
    match arguments.text("s").filter(|subjects| !subjects.is_empty()) {
        Some(subjects) => {
            for subject in subjects.split(',').map(str::trim).filter(|subject| !subject.is_empty()) {
                all.extend(rules_at(&session.admin, from, Some(subject)).await?);
            }
        }
        None => all = all_at(&session.admin, from, None, None).await?,
    }
    for rules in &all {
        let subject = rules.subject.as_deref().unwrap_or_default();
        if rules_at(&session.admin, to, Some(subject)).await?.is_none() {
            session.admin.call::<AuthCreateAcl>(to, &header(subject), body(rules)).await?;
        } else {
            session.admin.call::<AuthUpdateAcl>(to, &header(subject), body(rules)).await?;
        }
        writeln!(session.out, "copy acl of {subject} from {from} to {to} success.")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::parse;
    use crate::output::Format;
    use crate::tests::printed;

    #[test]
    fn rules_are_made_and_printed_as_upstream_does() {
        let line = ["-b", "a:1", "-s", "User:u1", "-r", "Topic:T, Group:g", "-a", "Pub,Sub", "-d", "Allow"];
        let rules = rules(&parse(CREATE, &line).unwrap()).unwrap();
        let json = fastjson::to_vec(&rules);
        assert_eq!(
            String::from_utf8(json).unwrap(),
            r#"{"policies":[{"entries":[{"actions":["Pub","Sub"],"decision":"Allow","resource":"Topic:T"},{"actions":["Pub","Sub"],"decision":"Allow","resource":"Group:g"}]}],"subject":"User:u1"}"#
        );
        let text = printed(|out| Document::of(table(&[rules])).write(Format::Text, out));
        assert_eq!(
            text.lines().nth(1),
            Some(
                "User:u1           null        Topic:T                 [Pub, Sub]            null                      Allow     "
            )
        );
    }
}
