//! `createUser`, `updateUser`, `deleteUser`, `getUser`, `listUser`, `copyUser`.

use boostermq_remoting::body::UserInfo;
use boostermq_remoting::fastjson;
use boostermq_remoting::request::acl::{
    AuthCreateUser, AuthDeleteUser, AuthGetUser, AuthListUser, AuthUpdateUser, ListUsersRequestHeader,
    UserRequestHeader,
};
use bytes::Bytes;

use crate::admin::{self, Admin, AdminError};
use crate::command::{Session, commands};
use crate::options::{Arguments, CommandOption};
use crate::output::{Cell, Column, Document, Format, Style, Table};
use crate::targets::{self, Members};

const CREATE: &[CommandOption] = &[
    CommandOption::one_of("c", "clusterName", "create user to which cluster"),
    CommandOption::one_of("b", "brokerAddr", "create user to which broker"),
    CommandOption::required("u", "username", "the username of user to create."),
    CommandOption::required("p", "password", "the password of user to create"),
    CommandOption::optional("t", "userType", "the userType of user to create"),
];

const UPDATE: &[CommandOption] = &[
    CommandOption::one_of("c", "clusterName", "update user to which cluster"),
    CommandOption::one_of("b", "brokerAddr", "update user to which broker"),
    CommandOption::required("u", "username", "the username of user to update."),
    CommandOption::one_of_others("p", "password", "the password of user to update"),
    CommandOption::one_of_others("t", "userType", "the userType of user to update"),
    CommandOption::one_of_others("s", "userStatus", "the userStatus of user to update"),
];

const DELETE: &[CommandOption] = &[
    CommandOption::one_of("c", "clusterName", "delete acl from which cluster"),
    CommandOption::one_of("b", "brokerAddr", "delete user from which broker"),
    CommandOption::required("u", "username", "the username of user to delete."),
];

const GET: &[CommandOption] = &[
    CommandOption::one_of("b", "brokerAddr", "get user for which broker"),
    CommandOption::one_of("c", "clusterName", "get user for specified cluster"),
    CommandOption::optional("u", "username", "the username of user to get"),
];

const LIST: &[CommandOption] = &[
    CommandOption::one_of("b", "brokerAddr", "list user for which broker"),
    CommandOption::one_of("c", "clusterName", "list user for specified cluster"),
    CommandOption::optional("f", "filter", "the filter to list users"),
];

const COPY: &[CommandOption] = &[
    CommandOption::required("f", "fromBroker", "the source broker that the users copy from"),
    CommandOption::required("t", "toBroker", "the target broker that the users copy to"),
    CommandOption::optional("u", "usernames", "the username list of user to copy."),
];

commands! {
    /// Makes a user.
    CreateUser = "createUser", "Create user to cluster.", CREATE, create;
    /// Changes a user.
    UpdateUser = "updateUser", "Update user to cluster.", UPDATE, update;
    /// Removes a user.
    DeleteUser = "deleteUser", "Delete user from cluster.", DELETE, delete;
    /// Shows a user.
    GetUser = "getUser", "Get user from cluster.", GET, show, has_tables;
    /// Lists users.
    ListUser = "listUser", "List user from cluster.", LIST, list, has_tables;
    /// Copies users to another broker.
    CopyUser = "copyUser", "Copy user to cluster.", COPY, copy;
}

static USERS: Style = Style {
    name: "users",
    head: "%-16s  %-22s  %-22s  %-22s%n",
    row: "%-16s  %-22s  %-22s  %-22s%n",
    columns: &[
        Column::new("username", "#UserName"),
        Column::new("password", "#Password"),
        Column::new("userType", "#UserType"),
        Column::new("userStatus", "#UserStatus"),
    ],
};

fn header(name: &str) -> UserRequestHeader {
    UserRequestHeader { username: Some(name.to_owned()) }
}

fn user(arguments: &Arguments) -> anyhow::Result<UserInfo> {
    let text = |key: &str| arguments.text(key).map(str::to_owned);
    Ok(UserInfo {
        username: Some(arguments.required("u")?.to_owned()),
        password: text("p"),
        user_type: text("t"),
        user_status: text("s"),
    })
}

fn body(user: &UserInfo) -> Bytes {
    Bytes::from(fastjson::to_vec(user))
}

async fn create(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let user = user(arguments)?;
    let Some(brokers) = targets::brokers(arguments, session, Members::All).await? else { return Ok(()) };
    let done = |address: &str| format!("create user to {address} success.");
    let header = header(arguments.required("u")?);
    targets::tell::<AuthCreateUser>(session, &brokers, &header, body(&user), done).await
}

async fn update(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let user = user(arguments)?;
    let Some(brokers) = targets::brokers(arguments, session, Members::All).await? else { return Ok(()) };
    let done = |address: &str| format!("update user to {address} success.");
    let header = header(arguments.required("u")?);
    targets::tell::<AuthUpdateUser>(session, &brokers, &header, body(&user), done).await
}

async fn delete(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let header = header(arguments.required("u")?);
    let Some(brokers) = targets::brokers(arguments, session, Members::All).await? else { return Ok(()) };
    // Upstream's word is "to".
    let done = |address: &str| format!("delete user to {address} success.");
    targets::tell::<AuthDeleteUser>(session, &brokers, &header, Bytes::new(), done).await
}

/// The user of that name on one broker; `None` when there is none, for which brokers send no body.
async fn user_at(admin: &Admin, address: &str, name: Option<&str>) -> Result<Option<UserInfo>, AdminError> {
    let answer = admin
        .call::<AuthGetUser>(address, &UserRequestHeader { username: name.map(str::to_owned) }, Bytes::new())
        .await?;
    if answer.body.is_empty() { Ok(None) } else { admin::read_body(address, &answer).map(Some) }
}

async fn users_at(admin: &Admin, address: &str, filter: Option<&str>) -> Result<Vec<UserInfo>, AdminError> {
    let header = ListUsersRequestHeader { filter: filter.map(str::to_owned) };
    let answer = admin.call::<AuthListUser>(address, &header, Bytes::new()).await?;
    if answer.body.is_empty() { Ok(Vec::new()) } else { admin::read_body(address, &answer) }
}

async fn show(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    // Without a name the broker says what is missing.
    let name = arguments.text("u");
    let Some(brokers) = targets::brokers(arguments, session, Members::Masters).await? else { return Ok(()) };
    let found = session.ask_all(&brokers, async |admin, address| user_at(admin, address, name).await).await;
    let users: Vec<UserInfo> = found.into_iter().find_map(|(_, user)| user).into_iter().collect();
    print(session, &users, None)
}

async fn list(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let filter = arguments.text("f");
    let Some(brokers) = targets::brokers(arguments, session, Members::Masters).await? else { return Ok(()) };
    let found = session.ask_all(&brokers, async |admin, address| users_at(admin, address, filter).await).await;
    let first = found.into_iter().find(|(_, users)| !users.is_empty());
    let (address, users) = first.unwrap_or_default();
    // Upstream names the broker of a cluster from which the list is.
    print(session, &users, Some(address).filter(|_| !arguments.has("b")))
}

fn print(session: &mut Session<'_>, users: &[UserInfo], from: Option<String>) -> anyhow::Result<()> {
    // Upstream prints no heads over nothing.
    if users.is_empty() && matches!(session.format(), Format::Text | Format::Wide) {
        return Ok(());
    }
    Ok(session.print(&document(users, from))?)
}

fn document(users: &[UserInfo], from: Option<String>) -> Document {
    let mut table = Table::new(&USERS);
    let cell = |text: &Option<String>| Cell::shown(text.as_deref().unwrap_or("null"), text.clone());
    for user in users {
        table.row([cell(&user.username), cell(&user.password), cell(&user.user_type), cell(&user.user_status)]);
    }
    let mut document = Document::of(table);
    if let Some(address) = from {
        document.field("from", address.as_str(), format!("get user from {address} success."));
    }
    document
}

async fn copy(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let (from, to) = (arguments.required("f")?, arguments.required("t")?);
    let mut users = Vec::new();
    match arguments.text("u").filter(|names| !names.is_empty()) {
        Some(names) => {
            for name in names.split(',').map(str::trim).filter(|name| !name.is_empty()) {
                users.extend(user_at(&session.admin, from, Some(name)).await?);
            }
        }
        None => users = users_at(&session.admin, from, None).await?,
    }
    for user in &users {
        let name = user.username.as_deref().unwrap_or_default();
        if user_at(&session.admin, to, Some(name)).await?.is_none() {
            session.admin.call::<AuthCreateUser>(to, &header(name), body(user)).await?;
        } else {
            session.admin.call::<AuthUpdateUser>(to, &header(name), body(user)).await?;
        }
        writeln!(session.out, "copy user of {name} from {from} to {to} success.")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::printed;

    #[test]
    fn users_are_printed_as_upstream_does() {
        let user = UserInfo {
            username: Some("u1".to_owned()),
            password: None,
            user_type: Some("Normal".to_owned()),
            user_status: Some("enable".to_owned()),
        };
        let text = printed(|out| document(&[user], Some("a:1".to_owned())).write(Format::Text, out));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[0],
            "#UserName         #Password               #UserType               #UserStatus           "
        );
        assert_eq!(
            lines[1],
            "u1                null                    Normal                  enable                "
        );
        assert_eq!(lines[2], "get user from a:1 success.");
    }
}
