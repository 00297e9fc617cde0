//! `getControllerConfig`, `updateControllerConfig`: settings of controllers.

use boostermq_remoting::request::NoHeader;
use boostermq_remoting::request::controller;

use crate::command::{Session, commands};
use crate::options::{Arguments, CommandOption};
use crate::settings;

const GET: &[CommandOption] = &[CommandOption::required(
    "a",
    "controllerAddress",
    "Controller address list, eg: 192.168.0.1:9878;192.168.0.2:9878",
)];

const UPDATE: &[CommandOption] = &[
    CommandOption::required("a", "controllerAddress", "Controller address list, eg: 192.168.0.1:9878;192.168.0.2:9878"),
    CommandOption::required("k", "key", "config key"),
    CommandOption::required("v", "value", "config value"),
];

commands! {
    /// Shows settings.
    GetControllerConfig = "getControllerConfig", "Get controller config.", GET, show, has_tables;
    /// Changes a setting.
    UpdateControllerConfig = "updateControllerConfig", "Update controller config.", UPDATE, update;
}

fn addresses(arguments: &Arguments) -> anyhow::Result<Vec<String>> {
    let addresses = arguments.required("a")?.split(';').map(str::trim).filter(|address| !address.is_empty());
    Ok(addresses.map(str::to_owned).collect())
}

async fn show(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    settings::show::<controller::GetControllerConfig>(session, &addresses(arguments)?).await
}

async fn update(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let (key, value) = (arguments.required("k")?, arguments.required("v")?);
    let body = settings::body(key, value)?;
    let told = session
        .ask_all(&addresses(arguments)?, async |admin, address| {
            admin.call::<controller::UpdateControllerConfig>(address, &NoHeader {}, body.clone()).await.map(drop)
        })
        .await;
    let told: Vec<String> = told.into_iter().map(|(address, ())| address).collect();
    if !told.is_empty() {
        writeln!(session.out, "update controller config success![{}]\n{key} : {value}", told.join(", "))?;
    }
    Ok(())
}
