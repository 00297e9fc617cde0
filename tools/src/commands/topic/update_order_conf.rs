//! `updateOrderConf`: which queues an ordered topic has on which broker.

use anyhow::bail;
use boostermq_remoting::code::ResponseCode;
use boostermq_remoting::request::kv::{DeleteKvConfig, DeleteKvConfigRequestHeader};

use crate::admin::AdminError;
use crate::command::{Session, commands};
use crate::options::{Arguments, CommandOption};
use crate::order_conf;

const OPTIONS: &[CommandOption] = &[
    CommandOption::required("t", "topic", "topic name"),
    CommandOption::optional("v", "orderConf", "set order conf [eg. brokerName1:num;brokerName2:num]"),
    CommandOption::required("m", "method", "option type [eg. put|get|delete"),
];

commands! {
    /// Shows, sets or removes the queues of an ordered topic.
    UpdateOrderConf = "updateOrderConf", "Create or update or delete order conf.", OPTIONS, update;
}

/// Upstream ends none of its lines with a line feed.
async fn update(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let topic = arguments.required("t")?;
    match arguments.required("m")? {
        "get" => {
            let Some(setting) = order_conf::get(&session.admin, topic).await? else {
                let remark = format!("No config item, Namespace: {} Key: {topic}", order_conf::NAMESPACE);
                return Err(AdminError::refused(ResponseCode::QUERY_NOT_FOUND, remark).into());
            };
            write!(session.out, "get orderConf success. topic=[{topic}], orderConf=[{setting}] ")?;
        }
        "put" => {
            let Some(setting) = arguments.text("v").filter(|setting| !setting.is_empty()) else {
                bail!("please set orderConf with option -v.");
            };
            order_conf::set(&session.admin, topic, setting).await?;
            write!(session.out, "update orderConf success. topic=[{topic}], orderConf=[{setting}]")?;
        }
        "delete" => {
            let header =
                DeleteKvConfigRequestHeader { namespace: order_conf::NAMESPACE.to_owned(), key: topic.to_owned() };
            session.admin.tell_name_servers::<DeleteKvConfig>(&header).await?;
            write!(session.out, "delete orderConf success. topic=[{topic}]")?;
        }
        _ => session.refuse()?,
    }
    Ok(())
}
